use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const VECTORS: &str = include_str!("../../testdata/key-vectors.json");

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn part(json: &Value) -> Part<'static> {
    let (tag, value) = json.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap().to_string();
    match tag.as_str() {
        "s" => Part::String(text().into()),
        "n" => Part::Number(text().parse().unwrap()),
        "i" => Part::BigInt(text().parse().unwrap()),
        "b" => Part::Bytes(hex(&text()).into()),
        "t" => Part::Bool(value.as_bool().unwrap()),
        other => panic!("unknown tag {other}"),
    }
}

fn key(json: &Value) -> Vec<Part<'static>> {
    json.as_array().unwrap().iter().map(part).collect()
}

#[test]
fn vectors() {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 15);
    for vector in vectors {
        let expected = hex(vector["hex"].as_str().unwrap());
        assert_eq!(encode(&key(&vector["key"])).unwrap(), expected, "{vector}");
        assert_eq!(encode(&decode(&expected).unwrap()).unwrap(), expected, "{vector}");
    }
}

#[test]
fn ordered_vectors() {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let keys: Vec<Vec<u8>> =
        file["ordered"].as_array().unwrap().iter().map(|json| encode(&key(json)).unwrap()).collect();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn limits_name_the_part_and_the_limit() {
    let long = Part::String("x".repeat(1025).into());
    let error = encode(&[Part::Bool(true), long]).unwrap_err().at("key");
    assert_eq!(
        error.to_string(),
        "key[1]: 1025 UTF-16 code units are over the limit of 1024 UTF-16 code units"
    );
    assert!(encode(&[Part::String("é".repeat(1024).into())]).is_ok());
    assert!(encode(&[Part::String("😀".repeat(513).into())]).is_err());
    assert!(encode(&[Part::Bytes(vec![0; 1025].into())]).is_err());
    assert!(encode(&[Part::BigInt(BigInt::from(1) << (1024 * 8))]).is_err());
    assert!(encode(&[Part::BigInt((BigInt::from(1) << (1024 * 8)) - 1)]).is_ok());
    assert!(encode(&vec![Part::Bool(true); 21]).is_err());
}

fn any_part() -> impl Strategy<Value = Part<'static>> {
    let small = prop::sample::select(vec![0.0, -0.0, 1.0, 2.0, 10.0, -1.0, f64::INFINITY, f64::NEG_INFINITY]);
    prop_oneof![
        prop::collection::vec(prop_oneof![Just(0u8), Just(255u8), any::<u8>()], 0..12)
            .prop_map(|bytes| Part::Bytes(bytes.into())),
        "[a-c\\x00\\u{ff}\\u{10ffff}]{0,4}".prop_map(|text| Part::String(text.into())),
        prop_oneof![small, any::<f64>().prop_filter("one NaN", |n| !n.is_nan())].prop_map(Part::Number),
        (any::<i128>(), 0u32..200).prop_map(|(int, shift)| Part::BigInt(BigInt::from(int) << shift)),
        any::<i8>().prop_map(|int| Part::BigInt(int.into())),
        any::<bool>().prop_map(Part::Bool),
    ]
}

fn compare_parts(a: &Part<'_>, b: &Part<'_>) -> Ordering {
    let rank = |part: &Part<'_>| match part {
        Part::Bytes(_) => 0,
        Part::String(_) => 1,
        Part::Number(_) => 2,
        Part::BigInt(_) => 3,
        Part::Bool(_) => 4,
    };
    match (a, b) {
        (Part::Bytes(a), Part::Bytes(b)) => a.cmp(b),
        (Part::String(a), Part::String(b)) => a.cmp(b),
        (Part::Number(a), Part::Number(b)) => a.total_cmp(b),
        (Part::BigInt(a), Part::BigInt(b)) => a.cmp(b),
        (Part::Bool(a), Part::Bool(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn compare(a: &[Part<'_>], b: &[Part<'_>]) -> Ordering {
    let unequal = a.iter().zip(b).map(|(a, b)| compare_parts(a, b)).find(|order| order.is_ne());
    unequal.unwrap_or(a.len().cmp(&b.len()))
}

proptest! {
    #[test]
    fn round_trip(key in prop::collection::vec(any_part(), 1..8)) {
        let bytes = encode(&key).unwrap();
        prop_assert_eq!(encode(&decode(&bytes).unwrap()).unwrap(), bytes);
    }

    #[test]
    fn byte_order_is_key_order(a in prop::collection::vec(any_part(), 1..4), b in prop::collection::vec(any_part(), 1..4)) {
        prop_assert_eq!(encode(&a).unwrap().cmp(&encode(&b).unwrap()), compare(&a, &b));
    }

    #[test]
    fn descendants_are_exactly_the_range(a in prop::collection::vec(any_part(), 1..3), b in prop::collection::vec(any_part(), 1..5)) {
        let is_below = b.len() > a.len() && compare(&a, &b[..a.len()]).is_eq();
        let (a, b) = (encode(&a).unwrap(), encode(&b).unwrap());
        prop_assert_eq!(descendants(&a).contains(&b), is_below);
        prop_assert_eq!(tree(&a).contains(&b), is_below || a == b);
    }

    #[test]
    fn any_bytes_decode_to_their_only_key_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(key) = decode(&bytes) {
            let mut out = Vec::new();
            let mut writer = KeyWriter::new(&mut out);
            for part in key.iter().take(MAX_KEY_PARTS) {
                writer.push(part).unwrap();
            }
            prop_assert!(bytes.starts_with(&out));
        }
    }
}
