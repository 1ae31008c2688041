//! Tests of errors and their places.

use super::*;

#[test]
fn a_place_is_written_from_the_outside_in() {
    let part = || Error::invalid("no").at(Place::element(1));
    for (error, text) in [
        (Error::invalid("no"), "no"),
        (part().at("key"), "key[1]: no"),
        (part().at(("keysIfUndelivered", 2)), "keysIfUndelivered[2][1]: no"),
        (part().at("key").at(("keys", 2)), "keys[2]: key[1]: no"),
        (Error::invalid("no").at(Place::entry("[1]".into())), "key [1]: no"),
        (Error::invalid("no").at("value").at(Place::entry("[1]".into())), "key [1]: value: no"),
        (
            Error::invalid("no").at(Place::entry("[1]".into())).at(("mutations", 3)),
            "mutations[3], key [1]: no",
        ),
        (Error::invalid("no").at("url").at(Place::subject("a.db".into())), "a.db: url: no"),
        (
            Error::invalid("no").at(Place::from("where").member("a").member("$in").index(0)),
            "where.a.$in[0]: no",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
    let deep = (0..100).fold(Place::from("where"), |place, _| place.member(&"m".repeat(1000)));
    assert_eq!(deep.to_string().chars().count(), 301);
}

#[derive(serde::Deserialize)]
struct Texts {
    at: Vec<(String, String, String)>,
    limit: Vec<(String, usize, usize, String, String)>,
    short: Vec<(String, usize, Option<Kept>)>,
}

/// How much of a long text is kept: of its beginning, and of its end.
type Kept = (usize, usize);

/// The words of `lib/shared/errors.ts` too (`__test__/unit/error-texts.test.js`).
#[test]
fn every_case_of_the_table() {
    let texts: Texts = serde_json::from_str(include_str!("../../testdata/error-texts.json")).unwrap();
    for (place, message, text) in texts.at {
        assert_eq!(Error::invalid(message).at(place).to_string(), text);
    }
    for (what, size, limit, unit, text) in texts.limit {
        let error = Error::limit(size, limit, &unit).at(what);
        assert_eq!((error.code, error.to_string()), (Code::LimitExceeded, text));
    }
    for (letter, times, kept) in texts.short {
        let cut = |(begin, end)| format!("{}…{}", letter.repeat(begin), letter.repeat(end));
        assert_eq!(short(&letter.repeat(times)), kept.map_or(letter.repeat(times), cut));
    }
}

#[test]
fn a_long_text_is_cut_in_its_middle() {
    for text in [String::new(), "é".repeat(300)] {
        assert_eq!(short(&text), text);
    }
    let text = format!("{}{}{}", "é".repeat(200), "m".repeat(1_000_000), "ü".repeat(100));
    assert_eq!(short(&text), format!("{}…{}", "é".repeat(200), "ü".repeat(100)));
    let step = format!("{}.x", short(&text));
    assert_eq!(short(&step), format!("{}…{}.x", "é".repeat(200), "ü".repeat(98)));
}
