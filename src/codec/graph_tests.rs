use proptest::prelude::*;

use super::*;
use crate::codec::value::{ArrayText, TAGGED_JSON};

fn reference_to(number: usize) -> String {
    format!(r#"{{"__type":"object","ref":{number}}}"#)
}

#[test]
fn what_numbers_lead_to() {
    let text = format!(
        r#"{{"b":[],"a":{{"__type":"map","value":[[{{}},{}]]}},"1":{{"__type":"date","value":0}},"0":[1]}}"#,
        reference_to(0)
    );
    let graph = Graph::of(text.as_bytes()).unwrap();
    let node = |number| std::str::from_utf8(graph.node(number).unwrap()).unwrap();
    assert_eq!([1, 2, 4].map(node), ["[1]", "[]", "{}"]);
    assert_eq!(node(0), text);
    assert!(node(3).starts_with(r#"{"__type":"map""#) && graph.node(5).is_none() && graph.has_cycle);
    let shared = format!("[[],{}]", reference_to(1));
    assert!(!Graph::of(shared.as_bytes()).unwrap().has_cycle);
}

/// Seen to fail: with the numbers of each array as they were.
#[test]
fn joined_arrays_keep_what_they_refer_to() {
    let array = |text: String| ArrayText { encoding: TAGGED_JSON, text: text.into_bytes() };
    let one = array(format!(r#"[{{"a":1}},[{},{}]]"#, reference_to(1), reference_to(0)));
    let two = array(format!(r#"[ {{"b":[]}} , {} ]"#, reference_to(2)));
    let plain = array(r#"[{},[[]]]"#.into());
    let text = |joined: Result<ArrayText>| String::from_utf8(joined.unwrap().text).unwrap();
    assert_eq!(
        text(one.clone().join(&two)),
        format!(r#"[{{"a":1}},[{},{}],{{"b":[]}},{}]"#, reference_to(1), reference_to(0), reference_to(4))
    );
    assert_eq!(
        text(plain.join(&one)),
        format!(r#"[{{}},[[]],{{"a":1}},[{},{}]]"#, reference_to(4), reference_to(0))
    );
}

/// Whatever is left out of a text, each reference of the rest leads to something.
#[test]
fn what_is_left_out_is_written_where_it_is_needed_first() {
    let text =
        format!(r#"[[{{"deep":[]}}],{},{{"x":{}}},{}]"#, reference_to(3), reference_to(2), reference_to(3));
    let graph = Graph::of(text.as_bytes()).unwrap();
    let mut writer = GraphWriter::default();
    for element in elements(text.as_bytes()).unwrap().into_iter().skip(1) {
        writer.value(element, &graph, 1).unwrap();
        writer.out.push(b' ');
    }
    let written = String::from_utf8(writer.out).unwrap();
    assert_eq!(written, format!(r#"[] {{"x":{{"deep":{}}}}} {} "#, reference_to(0), reference_to(0)));
}

/// A chain of a thousand, each of which is shallow in its place.
#[test]
fn what_would_be_nested_too_deep_is_refused() {
    let chain: Vec<String> = (0..1000)
        .map(|at| if at == 0 { "{}".into() } else { format!(r#"{{"next":{}}}"#, reference_to(at + 1)) })
        .collect();
    let text = format!(r#"{{"all":[{}],"last":{}}}"#, chain.join(","), reference_to(1001));
    let graph = Graph::of(text.as_bytes()).unwrap();
    let mut writer = GraphWriter::default();
    let error = writer.value(graph.node(1001).unwrap(), &graph, 1).unwrap_err();
    assert_eq!(error.to_string(), "nesting of the result: 201 levels are over the limit of 200 levels");
}

/// Small as text, endless as a tree.
#[test]
fn expanding_is_bounded() {
    let levels: Vec<String> = (0..60)
        .map(|at| if at == 0 { "[]".into() } else { format!("[{0},{0}]", reference_to(at)) })
        .collect();
    let text = format!("[{}]", levels.join(","));
    let graph = Graph::of(text.as_bytes()).unwrap();
    drop(graph.expanded(parse(text.as_bytes()).unwrap()));
    let ring = format!("[{0},{0}]", reference_to(0));
    let graph = Graph::of(ring.as_bytes()).unwrap();
    drop(graph.expanded(parse(ring.as_bytes()).unwrap()));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in r#"(\{"__type":"object","ref":[0-9]\}|[\[\]{},:]|"a"|1){0,30}"#) {
        if let Some(graph) = Graph::of(text.as_bytes()) {
            let mut writer = GraphWriter::default();
            if writer.value(text.as_bytes().trim_ascii(), &graph, 0).is_ok() && may_have_references(text.as_bytes()) {
                prop_assert!(Graph::of(&writer.out).is_some());
            }
        }
    }
}
