use proptest::prelude::*;

use super::*;

#[test]
fn members_and_elements() {
    let text = br#" { "a" : [ 1 , {"b":"x\"y"} , [] ] , "c\u0064" : null } "#;
    let list = member(text, b"a").unwrap();
    assert_eq!(element(list, 1), Some(br#"{"b":"x\"y"}"#.as_slice()));
    assert_eq!(element(list, 2), Some(b"[]".as_slice()));
    assert_eq!((element(list, 3), element(text, 0), member(list, b"a")), (None, None, None));
    assert_eq!(member(text, b"cd"), Some(b"null".as_slice()));
    assert_eq!(member(text, b"d"), None);
}

#[test]
fn strings() {
    let of = |text: &'static [u8]| match parse(text) {
        Some(Json::String(bytes)) => bytes.into_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(of(br#""\ud83d\ude00\n\u00e9""#), "\u{1f600}\né".as_bytes());
    assert_eq!(of(br#""\ud800\u0041""#), [0xed, 0xa0, 0x80, b'A']);
    assert_eq!(parse(br#""\x""#), None);
}

proptest! {
    #[test]
    fn damaged_text_holds_nothing(text in proptest::collection::vec(proptest::sample::select(br#"{}[]",:\u0123e-tn "#.to_vec()), 0..40)) {
        let _ = (parse(&text), member(&text, b"t"), element(&text, 1));
    }

    #[test]
    fn reads_what_serde_writes(value in any::<Vec<(String, f64, Option<bool>)>>()) {
        prop_assume!(value.iter().all(|(_, number, _)| number.is_finite()));
        let text = serde_json::to_vec(&value).unwrap();
        let Some(Json::Array(rows)) = parse(&text) else { panic!("no array") };
        for (row, (name, number, flag)) in rows.iter().zip(&value) {
            let Json::Array(parts) = row else { panic!("no row") };
            prop_assert_eq!(&parts[0], &Json::String(Cow::Borrowed(name.as_bytes())));
            prop_assert_eq!(&parts[1], &Json::Number(*number));
            prop_assert_eq!(&parts[2], &flag.map_or(Json::Null, Json::Bool));
        }
    }
}
