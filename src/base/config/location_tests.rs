//! Tests of `location.rs`: accepted locations, and the advice for refused ones.

use super::*;

#[test]
fn locations() {
    let file = |url: &str| match Location::parse(url).unwrap() {
        Location::File(path) => path.to_str().unwrap().to_string(),
        Location::Memory => "memory".into(),
    };
    assert_eq!(file("./app.db"), "./app.db");
    assert_eq!(file("app.db"), "app.db");
    assert_eq!(file("/abs/app.db"), "/abs/app.db");
    assert_eq!(file("file:dir/app.db"), "dir/app.db");
    assert_eq!(file("file:///abs/a%20b.db"), "/abs/a b.db");
    assert_eq!(file(":memory:"), "memory");
    assert_eq!(file("FILE:app.db"), "app.db");
    assert_eq!(file("what?.db"), "what?.db");
    assert_eq!(file("a#b?c d=e.db"), "a#b?c d=e.db");
    assert_eq!(file("100%.db"), "100%.db");
    assert_eq!(file("~app.db"), "~app.db");
    assert_eq!(file("./memory"), "./memory");
    assert_eq!(file("file:memory"), "memory");
    assert_eq!(file("./true"), "./true");
    assert_eq!(file("././undefined.db"), "././undefined.db");
    assert_eq!(file("./$DB/app.db"), "./$DB/app.db");
    assert_eq!(file("$app.db"), "$app.db");
    assert_eq!(file("true.db"), "true.db");
    assert_eq!(file("temp"), "temp");
    assert_eq!(file("%41.db"), "%41.db");
    assert_eq!(file("./C:/app.db"), "./C:/app.db");
}

#[test]
fn refusals() {
    for url in [
        "",
        "file:",
        "postgres://x",
        "file://host/x",
        "file:///a%zz",
        "a\0b",
        "file:///a?mode=ro",
        "file:a?mode=ro",
        "a?mode=ro",
        "sqlite:app.db",
        "file:a%20b.db",
        "file://app.db",
    ] {
        assert_eq!(Location::parse(url).unwrap_err().code, Code::InvalidArgument, "{url}");
    }
    let error = Location::parse("libsql://user:secret@host/db?authToken=secret").unwrap_err();
    assert_eq!(error.code, Code::Unsupported);
    for url in [
        "libsql://user:secret@host/db?authToken=secret",
        "file:app.db?authToken=secret",
        "file:///app.db?authToken=secret",
        "file://user:secret@host/app.db",
        "file:///app%zz.db#secret",
    ] {
        let Error { message, .. } = Location::parse(url).unwrap_err();
        assert!(!message.contains("secret"), "{message}");
    }
}

/// Each would make a file or a folder of that name. Seen to fail: read no path but for its scheme.
#[test]
fn what_evidently_means_something_else() {
    for (url, cure) in [
        (":MEMORY:", "give \":memory:\""),
        (":memory", "give \":memory:\""),
        ("memory:", "give \":memory:\""),
        // Seen to fail: "seems to mean memory; give \":memory:\"" of what was shown as ":memory:".
        (":memory:?cache=shared", "has parameters, which memory does not take; leave them out"),
        (":memory:#a", "leave them out: give \":memory:\" alone"),
        ("file::memory:?cache=shared", "leave them out: give \":memory:\" alone"),
        ("file::Memory:", "give \":memory:\""),
        ("file:///:memory:", "give \":memory:\""),
        ("file://:memory:", "give \":memory:\""),
        ("sqlite:///:memory:", "give \":memory:\""),
        ("file:shared?mode=memory&cache=shared", "leave them out: give \":memory:\" alone"),
        ("/srv/data/:memory:", "give \":memory:\""),
        (":memory: ", "give \":memory:\""),
        ("memory", "give \":memory:\""),
        ("Memory", "give \":memory:\""),
        (":mem:", "give \":memory:\""),
        (":MEM:", "give \":memory:\""),
        (":temp:", "give \":memory:\""),
        ("file::temp:", "give \":memory:\""),
        (" ", "give \"file:app.db\""),
        ("\t\n", "give \"file:app.db\""),
        ("file:true", "\"./true\""),
        ("file:undefined", "\"././undefined\""),
        ("file:///srv/undefined/kv.db", "\"/srv/./undefined/kv.db\""),
        ("file:///srv/%5Bobject%20Object%5D/kv.db", "JavaScript"),
        ("$DB/app.db", "variable"),
        ("$DATA_DIR", "variable"),
        ("app-${env}.db", "variable"),
        ("%APPDATA%\\app.db", "variable"),
        ("file:%ProgramFiles(x86)%/app.db", "variable"),
        ("app.db\n", "give \"app.db\""),
        (" file:app.db", "give \"file:app.db\""),
        ("\"file:app.db\"", "give file:app.db without"),
        ("'app.db'", "give app.db without"),
        ("~", "homedir()"),
        ("~/app.db", "homedir()"),
        ("~ada/app.db", "homedir()"),
        ("file:~/app.db", "homedir()"),
        // Seen to fail: each made a folder of that name.
        ("/~/app.db", "homedir()"),
        ("file:///~/app.db", "homedir()"),
        ("file:///$HOME/app.db", "variable"),
        ("$HOME/app.db", "variable"),
        ("${dir}/app.db", "variable"),
        ("%APPDATA%/app.db", "variable"),
        ("data/", "\"data/app.db\""),
        ("file:data/", "\"data/app.db\""),
        (".", "\"./app.db\""),
        ("data/..", "\"data/../app.db\""),
        ("/", "\"/app.db\""),
    ] {
        let error = Location::parse(url).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument, "{url}");
        assert!(error.message.contains(cure), "{url}: {}", error.message);
    }
    if !cfg!(windows) {
        for url in ["C:\\data\\app.db", "C:/app.db"] {
            assert!(Location::parse(url).unwrap_err().message.contains("Windows"), "{url}");
        }
    }
}
