//! A real Prometheus that scrapes a process of ours, and its promtool.

use cluster::{Server, Spec};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(120);

/// Runs promtool in a folder.
///
/// # Errors
/// What it said, if it was not content.
pub(super) fn promtool(folder: &Path, args: &[&str]) -> Result<(), String> {
    let [_, promtool] = cluster::prometheus();
    let output = Command::new(promtool)
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    output.status.success().then_some(()).ok_or(said)
}

/// Labels of a series, and times and values.
pub(super) type Series = (Value, Vec<(f64, f64)>);

/// It ends when it is dropped.
pub(super) struct Prometheus {
    server: Server,
    address: String,
    _folder: TempDir,
}

/// Labels and value of a sample.
pub(super) type Sample = (Value, f64);

impl Prometheus {
    /// Scrapes `target` each second as job `imageref`, and evaluates these rules as often.
    pub(super) fn start(target: &str, rules: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let configuration = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: [rules.yaml]\n\
             scrape_configs:\n\
             - {{job_name: imageref, honor_labels: true, static_configs: [{{targets: [\"{target}\"]}}]}}\n"
        );
        std::fs::write(folder.path().join("prometheus.yaml"), configuration).unwrap();
        std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
        let [program, _] = cluster::prometheus();
        let args = [
            "--config.file=prometheus.yaml",
            "--storage.tsdb.path=data",
            "--web.listen-address=127.0.0.1:0",
        ];
        let server = Server::spawn(Spec {
            name: "prometheus",
            program,
            args: args.map(str::to_owned).to_vec(),
            env: Vec::new(),
            folder: folder.path(),
            removes_folder: false,
        })
        .unwrap();
        let deadline = Instant::now() + SOON;
        let address = loop {
            let log = server.log();
            let line = log.lines().find(|line| line.contains("Listening on"));
            if let Some((_, port)) = line.and_then(|line| line.split_once("address=127.0.0.1:")) {
                let port: String = port.chars().take_while(char::is_ascii_digit).collect();
                break format!("127.0.0.1:{port}");
            }
            assert!(Instant::now() < deadline, "{log}");
            std::thread::sleep(Duration::from_millis(50));
        };
        let this = Self {
            server,
            address,
            _folder: folder,
        };
        this.wait("the first scrape", || {
            this.query("up")
                .ok()
                .filter(|up| up.iter().any(|(_, value)| *value > 0.0))
        });
        this
    }

    /// What `found` finds, when it does.
    pub(super) fn wait<T>(&self, what: &str, found: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + 2 * SOON;
        loop {
            if let Some(found) = found() {
                return found;
            }
            let state = || (self.alerts(), self.server.log());
            assert!(Instant::now() < deadline, "{what}: {:#?}", state());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        // The old version: no chunks, and the connection ends.
        write!(stream, "GET {path}?{query} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer
            .split_once("\r\n\r\n")
            .ok_or_else(|| answer.clone())?;
        let mut body: Value = serde_json::from_str(body).map_err(|_| answer.clone())?;
        if body["status"] != "success" {
            return Err(body.to_string());
        }
        Ok(body["data"].take())
    }

    /// # Errors
    /// What Prometheus says of a query that it does not take.
    pub(super) fn query(&self, expr: &str) -> Result<Vec<Sample>, String> {
        let data = self.get("/api/v1/query", &[("query", expr)])?;
        let samples = data["result"].as_array().cloned().unwrap_or_default();
        let read = |sample: Value| (sample["metric"].clone(), number(&sample["value"][1]));
        Ok(samples.into_iter().map(read).collect())
    }

    /// Each series with its values, one for each of `step` seconds from `start` to `end`, in seconds
    /// since 1970; a value that is none is left out.
    ///
    /// # Errors
    /// As for [`Self::query`].
    pub(super) fn range(
        &self,
        expr: &str,
        (start, end): (f64, f64),
        step: u32,
    ) -> Result<Vec<Series>, String> {
        let [start, end, step] = [start.to_string(), end.to_string(), step.to_string()];
        let query = [
            ("query", expr),
            ("start", &start),
            ("end", &end),
            ("step", &step),
        ];
        let data = self.get("/api/v1/query_range", &query)?;
        let series = data["result"].as_array().cloned().unwrap_or_default();
        let read = |series: Value| {
            let values = series["values"].as_array().cloned().unwrap_or_default();
            let values = values
                .iter()
                .map(|value| (value[0].as_f64().unwrap(), number(&value[1])));
            (
                series["metric"].clone(),
                values.filter(|(_, value)| value.is_finite()).collect(),
            )
        };
        Ok(series.into_iter().map(read).collect())
    }

    /// Alerts, pending and firing.
    pub(super) fn alerts(&self) -> Vec<Value> {
        let data = self.get("/api/v1/alerts", &[]).unwrap();
        data["alerts"].as_array().cloned().unwrap_or_default()
    }

    /// The rules as they were evaluated.
    pub(super) fn rules(&self) -> Vec<Value> {
        let data = self.get("/api/v1/rules", &[]).unwrap();
        let groups = data["groups"].as_array().cloned().unwrap_or_default();
        let rules = groups
            .iter()
            .filter_map(|group| group["rules"].as_array().cloned());
        rules.flatten().collect()
    }
}

fn number(value: &Value) -> f64 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(f64::NAN)
}
