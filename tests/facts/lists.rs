//! Lists of all three APIs: when one says nothing, and whose entry is whose.

use imageref::facts::lite_server::LiteServerPage;
use imageref::facts::notebook::NotebookPage;
use imageref::facts::pai::PaiPage;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn page<T: DeserializeOwned>(entries: &Value, total: &Value) -> T {
    let page = json!({"data": entries, "Images": entries, "total": total, "TotalCount": total});
    serde_json::from_value(page).unwrap()
}

#[test]
fn a_list_says_nothing_if_it_has_neither_an_entry_nor_a_number() {
    let nothing = Value::Null;
    for (entries, total, silent) in [
        (&nothing, &nothing, true),
        (&json!([]), &nothing, true),
        (&json!([]), &json!("many"), true),
        (&json!([]), &json!(0), false),
        (&nothing, &json!(3), false),
        (&json!([null]), &nothing, false),
        (&json!([{}]), &json!(1), false),
    ] {
        let all = [
            page::<NotebookPage>(entries, total).is_silent(),
            page::<LiteServerPage>(entries, total).is_silent(),
            page::<PaiPage>(entries, total).is_silent(),
        ];
        assert_eq!(all, [silent; 3], "{entries} {total}");
    }
}

#[test]
fn an_entry_is_known_by_the_id_that_its_facts_have() {
    for (id, known) in [(json!(" a-1\n"), Some("a-1")), (Value::Null, None)] {
        let entries = json!([{"id": id, "image_id": id, "ImageId": id, "name": "n", "Name": "n"}]);
        let total = json!(1);
        let notebook = page::<NotebookPage>(&entries, &total).data.remove(0);
        let lite_server = page::<LiteServerPage>(&entries, &total).data.remove(0);
        let pai = page::<PaiPage>(&entries, &total).images.remove(0);
        assert_eq!([notebook.id(), lite_server.id(), pai.id()], [known; 3]);
        let facts = [
            notebook.into_facts(None, None),
            lite_server.into_facts(None, None),
            pai.into_facts(None, None),
        ];
        for facts in facts {
            assert_eq!(facts.map(|facts| facts.image_id).as_deref(), known);
        }
    }
}
