//! The simple commands in a script, as far as documentation writes scripts.
//!
//! Owns quoting, pipes and substitutions. Must not run anything. The invariant that would break first: a
//! command in a substitution or behind a pipe is found like one at the beginning of a line.

use std::iter::Peekable;
use std::str::Chars;

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// Its words without quotes; a substitution is the word `…`.
    pub(crate) words: Vec<String>,
    /// What `<<<` gives it to read.
    pub(crate) input: Option<String>,
}

/// All simple commands of a script, the ones in substitutions first.
pub(crate) fn commands(script: &str) -> Vec<Command> {
    let mut reader = Reader {
        rest: script.chars().peekable(),
        found: Vec::new(),
    };
    reader.list(None);
    reader.found
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    found: Vec<Command>,
}

/// What becomes of the next word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Word,
    /// The target of a redirection.
    Target,
    Input,
}

impl Reader<'_> {
    /// Reads commands up to `end`.
    fn list(&mut self, end: Option<char>) {
        let mut command = Command::default();
        let mut next = Next::Word;
        let mut word: Option<String> = None;
        while let Some(c) = self.rest.next() {
            if Some(c) == end {
                break;
            }
            match c {
                '\\' => match self.rest.next() {
                    Some('\n') | None => {}
                    Some(c) => word.get_or_insert_default().push(c),
                },
                '\'' => word.get_or_insert_default().push_str(&self.until('\'')),
                '"' => {
                    let text = self.quoted();
                    word.get_or_insert_default().push_str(&text);
                }
                '$' if self.rest.peek() == Some(&'(') => {
                    self.rest.next();
                    self.list(Some(')'));
                    word.get_or_insert_default().push('…');
                }
                '$' if self.rest.peek() == Some(&'{') => {
                    self.rest.next();
                    word.get_or_insert_default().push_str(&self.until('}'));
                }
                '#' if word.is_none() => {
                    while self.rest.peek().is_some_and(|c| *c != '\n') {
                        self.rest.next();
                    }
                }
                '<' | '>' => {
                    // The number of a stream, as in `2>&1`, is no word.
                    word.take_if(|word| word.bytes().all(|b| b.is_ascii_digit()));
                    take(&mut word, &mut next, &mut command);
                    let mut operator = 1;
                    while matches!(self.rest.peek(), Some('<' | '>' | '&')) {
                        self.rest.next();
                        operator += 1;
                    }
                    next = if c == '<' && operator == 3 {
                        Next::Input
                    } else {
                        Next::Target
                    };
                }
                '|' | '&' | ';' | '\n' | '(' | ')' => {
                    take(&mut word, &mut next, &mut command);
                    self.end(&mut command);
                }
                c if c.is_whitespace() => take(&mut word, &mut next, &mut command),
                c => word.get_or_insert_default().push(c),
            }
        }
        take(&mut word, &mut next, &mut command);
        self.end(&mut command);
    }

    fn until(&mut self, end: char) -> String {
        self.rest.by_ref().take_while(|c| *c != end).collect()
    }

    /// The rest of a text in double quotes.
    fn quoted(&mut self) -> String {
        let mut text = String::new();
        while let Some(c) = self.rest.next() {
            match c {
                '"' => break,
                '\\' => text.extend(self.rest.next()),
                '$' if self.rest.peek() == Some(&'(') => {
                    self.rest.next();
                    self.list(Some(')'));
                    text.push('…');
                }
                c => text.push(c),
            }
        }
        text
    }

    /// Keeps a command without what stands before its name.
    fn end(&mut self, command: &mut Command) {
        let mut command = std::mem::take(command);
        let name = command.words.iter().position(|word| {
            let assigns = word.split_once('=').is_some_and(|(name, _)| {
                name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
            });
            let reserved = [
                "!", "if", "then", "else", "elif", "while", "until", "do", "done", "fi", "time",
            ];
            !assigns && !reserved.contains(&word.as_str())
        });
        if let Some(name) = name {
            command.words.drain(..name);
            self.found.push(command);
        }
    }
}

fn take(word: &mut Option<String>, next: &mut Next, command: &mut Command) {
    let Some(word) = word.take() else {
        return;
    };
    match std::mem::replace(next, Next::Word) {
        Next::Word => command.words.push(word),
        Next::Target => {}
        Next::Input => command.input = Some(word),
    }
}

#[test]
fn commands_are_found_wherever_they_stand() {
    let script = r#"
# imageref no
A=1 imageref lock -f "a b" --check >out.txt 2>&1 || [ $? -eq 1 ]   # imageref no
kustomize build . \
  | imageref check -f -
until kubectl wait --for=condition=Ready 'ir/x'; do
  echo "$(imageref resolve -f "$X") done"
done
kubectl apply -f - <<<'{kind: X}'
"#;
    let found = commands(script);
    let said: Vec<_> = found
        .iter()
        .map(|command| command.words.join("|"))
        .collect();
    assert_eq!(
        said,
        [
            "imageref|lock|-f|a b|--check",
            "[|$?|-eq|1|]",
            "kustomize|build|.",
            "imageref|check|-f|-",
            "kubectl|wait|--for=condition=Ready|ir/x",
            "imageref|resolve|-f|$X",
            "echo|… done",
            "kubectl|apply|-f|-",
        ]
    );
    assert_eq!(found[7].input.as_deref(), Some("{kind: X}"));
}
