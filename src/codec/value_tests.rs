use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn what_is_nested_too_deep() {
    let nested = |levels: usize, open: &str, close: &str| {
        format!("{}1{}", open.repeat(levels), close.repeat(levels)).into_bytes()
    };
    for (open, close) in [("[", "]"), ("{\"x\":", "}"), ("[\"]}\\\"]]\",", "]"), ("[{},{\"a\":", "}]")] {
        let levels = MAX_DEPTH / open.matches(['[', '{']).count().clamp(1, 2);
        let levels = if open.starts_with("[{") { levels } else { MAX_DEPTH };
        assert!(!is_too_deep(JSON, &nested(levels, open, close)), "{open}");
        assert!(is_too_deep(JSON, &nested(levels + 1, open, close)), "{open}");
        assert!(is_too_deep(JSON, &nested(200_000, open, close)), "{open}");
    }
    assert!(!is_too_deep(JSON, format!("[{}1]", "[],{},\"[[{\",".repeat(1000)).as_bytes()));
}

/// Seen to fail: each bracket of a tag counted as a level, or none was counted.
#[test]
fn what_is_tagged_and_nested_too_deep() {
    let nested = |levels: usize, open: &str, close: &str| {
        format!("{}1{}", open.repeat(levels), close.repeat(levels)).into_bytes()
    };
    let map = (r#"{"__type":"map","value":[["k","#, "]]}");
    assert!(!is_too_deep(TAGGED_JSON, &nested(101, map.0, map.1)));
    for (open, close) in [map, ("[", "]"), (r#"{"x":"#, "}"), (r#"{"__type":"object","value":"#, "}")] {
        assert!(!is_too_deep(TAGGED_JSON, &nested(101, open, close)), "{open}");
        assert!(is_too_deep(TAGGED_JSON, &nested(200_000, open, close)), "{open}");
    }
    assert!(is_too_deep(TAGGED_JSON, &nested(205, "[", "]")));
}

#[test]
fn what_cannot_be_read() {
    let code = |encoding: u8, text: &[u8]| check(encoding, text).err().map(|error| error.code);
    for (encoding, text) in
        [(JSON, b"{\"a\":[1]}".as_slice()), (TAGGED_JSON, b"1"), (BYTES, b"x"), (U64, b"12345678")]
    {
        assert_eq!(code(encoding, text), None);
    }
    for text in ["", "{\"a\":1", "[1,2]],[", "[1],[2]", "1 1", "word"] {
        assert_eq!(code(JSON, text.as_bytes()), Some(Code::Corrupt), "{text}");
        assert_eq!(code(TAGGED_JSON, text.as_bytes()), Some(Code::Corrupt), "{text}");
    }
    assert_eq!(code(U64, b"1234567"), Some(Code::Corrupt));
    assert_eq!(code(9, b"1"), Some(Code::Unsupported));
}

#[test]
fn counters() {
    let int = |text: &str| Counter::decode(JSON, text.as_bytes()).ok();
    assert_eq!(int("12"), Some(Counter::Int(12.into())));
    assert_eq!(int("1e+21"), Some(Counter::Int("1000000000000000000000".parse().unwrap())));
    for text in ["1.5", "\"1\"", "null", "true", "[]", "inf", "NaN", ""] {
        assert_eq!(int(text), None, "{text}");
    }
    let big = Counter::Int(BigInt::from(-1) << 200);
    let (encoding, bytes) = big.encode();
    assert_eq!(Counter::decode(encoding, &bytes).unwrap(), big);
    assert_eq!(Counter::decode(U64, &5u64.to_le_bytes()).unwrap(), Counter::U64(5));
    assert!(Counter::decode(U64, b"short").is_err());
    assert!(Counter::decode(TAGGED_JSON, br#"{"__type":"date","value":"5"}"#).is_err());
    assert!(Counter::decode(BYTES, b"12").is_err());
}

/// Seen to fail: without the look at the number of digits it had not ended after 45 s.
#[test]
fn a_counter_of_far_too_many_digits_is_not_read_as_a_number() {
    for sign in ["", "-"] {
        let text = format!(r#"{{"__type":"bigint","value":"{sign}{}"}}"#, "9".repeat(8_000_000));
        let error = Counter::decode(TAGGED_JSON, text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "stored counter: 3322000 bytes are over the limit of 2048 bytes");
    }
    let text = format!(r#"{{"__type":"bigint","value":"{}x"}}"#, "9".repeat(8_000));
    assert_eq!(Counter::decode(TAGGED_JSON, text.as_bytes()).unwrap_err().code, Code::Corrupt);
}

fn array(value: &Value) -> ArrayText {
    ArrayText { encoding: JSON, text: value.to_string().into_bytes() }
}

#[test]
fn arrays() {
    let (a, b) = (json!([1, "a,]\\\"", [2, 3]]), json!([{ "x": [1, 2] }, null]));
    let joined = array(&a).join(&array(&b)).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&joined.text).unwrap(),
        json!([1, "a,]\\\"", [2, 3], { "x": [1, 2] }, null])
    );
    assert_eq!(joined.len(), 5);
    assert_eq!(ArrayText::decode(JSON, b"[ ]").unwrap().join(&array(&a)).unwrap().text, array(&a).text);
    assert_eq!(array(&a).join(&ArrayText::decode(JSON, b"[\n]").unwrap()).unwrap().text, array(&a).text);
    assert_eq!(ArrayText::empty().join(&array(&a)).unwrap().text, array(&a).text);
    assert_eq!(array(&a).join(&ArrayText::empty()).unwrap().text, array(&a).text);
    assert_eq!(ArrayText::empty().len(), 0);
    assert!(ArrayText::decode(JSON, b"{}").is_err());
    assert!(ArrayText::decode(BYTES, b"[]").is_err());
}

proptest! {
    #[test]
    fn length_is_the_parsed_length(members in prop::collection::vec("[\\[\\]{},\"\\\\a]{0,6}", 0..6)) {
        prop_assert_eq!(array(&json!(members)).len(), members.len() as u64);
    }
}
