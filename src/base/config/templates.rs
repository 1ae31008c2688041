//! Names that a template has made of a variable without a value: `` `${tenant}/kv.db` `` is
//! `undefined/kv.db`, one file for all tenants.

use crate::base::error::short;

/// Texts that JavaScript makes of other values: refused as the whole path, in any case of letters.
const NO_PATHS: [&str; 7] = ["undefined", "null", "nan", "true", "false", "infinity", "-infinity"];
/// Those that are refused as a name within a path, alone or with an extension.
const NO_VALUES: [&str; 3] = ["undefined", "null", "NaN"];
/// Those that are refused even as a part of a file's name: `app-${env}.db`. The others occur in ordinary
/// names.
const IN_FILE_NAMES: [&str; 2] = ["undefined", "NaN"];
const JOINTS: [char; 3] = ['-', '_', ' '];

/// A name in a path that was evidently made of no text, and the path that a file so named is meant by.
#[derive(Debug, PartialEq, Eq)]
pub struct Slip<'path> {
    /// The name.
    pub name: &'path str,
    /// The same path, written so that the name is clearly intended.
    pub meant: String,
}

/// The first name that was made of no text and has no `.` of its own before it. One at the beginning is no
/// such sign: `./${name}` is as good a template as `${name}`.
pub fn slip(path: &str, is_separator: fn(char) -> bool) -> Option<Slip<'_>> {
    if path == "/dev/null" {
        return None;
    }
    let mut begin = 0;
    let mut before = None;
    let mut names = path.split(is_separator).peekable();
    while let Some(name) = names.next() {
        let is_last = names.peek().is_none();
        if (is_no_text(name) || (is_last && holds_no_text(name))) && before != Some((".", true)) {
            let (folder, rest) = path.split_at_checked(begin)?;
            let sign = if folder.is_empty() { "././" } else { "./" };
            return Some(Slip { name, meant: short(&format!("{folder}{sign}{rest}")).into_owned() });
        }
        before = Some((name, begin > 0));
        begin += name.len() + 1;
    }
    let is_whole = NO_PATHS.contains(&path.to_ascii_lowercase().as_str());
    is_whole.then(|| Slip { name: path, meant: format!("./{path}") })
}

/// The name, between its dots, is one of the words, or the text of an object or a function.
fn is_no_text(name: &str) -> bool {
    let is_object = name.split_once("[object ").is_some_and(|(_, rest)| rest.contains(']'));
    let is_code = name.contains("=>") || (name.contains("function") && name.contains('('));
    is_object || is_code || name.split('.').any(|part| NO_VALUES.contains(&part))
}

/// One of the words is the beginning or the end of a part of the name.
fn holds_no_text(name: &str) -> bool {
    name.split('.').any(|part| {
        let ends = [part.split(JOINTS).next(), part.rsplit(JOINTS).next()];
        ends.into_iter().flatten().any(|word| IN_FILE_NAMES.contains(&word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Option<Slip<'_>> {
        slip(path, |c| c == '/')
    }

    /// Seen to fail: only a text that is `undefined` and nothing else was refused.
    #[test]
    fn names_that_a_missing_variable_leaves() {
        for (path, name, meant) in [
            ("undefined", "undefined", "././undefined"),
            ("./undefined", "undefined", "././undefined"),
            ("null", "null", "././null"),
            ("NaN", "NaN", "././NaN"),
            ("undefined.db", "undefined.db", "././undefined.db"),
            ("./null.sqlite", "null.sqlite", "././null.sqlite"),
            ("undefined/kv.db", "undefined", "././undefined/kv.db"),
            ("/undefined", "undefined", "/./undefined"),
            ("/srv/undefined/kv.db", "undefined", "/srv/./undefined/kv.db"),
            ("../null/kv.db", "null", ".././null/kv.db"),
            ("data/NaN.db", "NaN.db", "data/./NaN.db"),
            ("data/kv.undefined.db", "kv.undefined.db", "data/./kv.undefined.db"),
            ("data/app-undefined.db", "app-undefined.db", "data/./app-undefined.db"),
            ("undefined_kv.db", "undefined_kv.db", "././undefined_kv.db"),
            ("shard-NaN.db", "shard-NaN.db", "././shard-NaN.db"),
            ("True", "True", "./True"),
            ("NULL", "NULL", "./NULL"),
            ("-Infinity", "-Infinity", "./-Infinity"),
            ("[object Object]", "[object Object]", "././[object Object]"),
            ("data/[object Promise].db", "[object Promise].db", "data/./[object Promise].db"),
            ("data-[object Object]/kv.db", "data-[object Object]", "././data-[object Object]/kv.db"),
            ("() => folder/kv.db", "() => folder", "././() => folder/kv.db"),
            (
                "function cwd() { [native code] }/kv.db",
                "function cwd() { [native code] }",
                "././function cwd() { [native code] }/kv.db",
            ),
        ] {
            let meant_so = meant.to_string();
            assert_eq!(of(path), Some(Slip { name, meant: meant_so }), "{path}");
            assert_eq!(of(meant), None, "{meant}");
        }
    }

    #[test]
    fn names_that_are_meant() {
        for path in [
            "Undefined/kv.db",
            "undefined-behaviour/kv.db",
            "/tmp/keeps-undefined-values/kv.db",
            "not-null.db",
            "null-object.db",
            "nulls/kv.db",
            "nan.db",
            "true/kv.db",
            "/dev/null",
            "functions.db",
            "object.db",
            "././undefined",
            "/srv/./undefined/./null.db",
            "",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
