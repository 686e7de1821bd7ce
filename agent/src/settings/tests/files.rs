//! Which files are read, and what is told of those that are not.
use super::*;

#[test]
fn files_are_searched_beside_the_including_one_then_along_the_path() {
    let dir = disk(&[
        ("main/m", "include a.conf include b.conf include c.conf include d"),
        ("main/a.conf", "cluster { cluster_group = beside }"),
        ("global/a.conf", "cluster { cluster_group = global }"),
        ("node-mx1/b.conf", "cluster { audit_interval = 11 }"),
        ("sub-west/c.conf", "cluster { heartbeats_per_sec = 11 }"),
        ("global/d/2.conf", "cluster { inbound_ports = 2 }"),
        ("global/d/10.conf", "cluster { inbound_ports = 10 }"),
        ("global/d/.9.conf", "cluster { inbound_ports = 9 }"),
        ("global/d/below/9.conf", "cluster { inbound_ports = 9 }"),
    ]);
    let root = dir.path().display();
    let environment = Environment {
        search_path: Some(format!(
            "{root}/nowhere:{root}/node-{{NODENAME}}:{root}/sub-{{SUBCLUSTER}}:{root}/global"
        )),
        sub_cluster: Some("west".into()),
        ..environment()
    };
    let loaded = load(&dir.path().join("main/m"), &environment).unwrap();
    assert_eq!(&*loaded.settings.cluster_group, "beside");
    assert_eq!(loaded.settings.audit_interval, Span::from_secs(11));
    assert_eq!(loaded.settings.inbound_ports, BTreeSet::from([2]));
    let files: Vec<_> =
        loaded.files.iter().map(|path| path.strip_prefix(dir.path()).unwrap().to_owned()).collect();
    let expected = [
        "main/m",
        "main/a.conf",
        "node-mx1/b.conf",
        "sub-west/c.conf",
        "global/d/10.conf",
        "global/d/2.conf",
    ];
    assert_eq!(files, expected.map(PathBuf::from));
}

#[test]
fn what_is_missing_or_no_file_is_told_with_the_directories_searched() {
    let dir = disk(&[("m", "include x.conf\ninclude \"http://x/y\"\ninclude /dev/zero\n"), ("d/x", "")]);
    let environment = Environment { search_path: Some("relative".into()), ..environment() };
    let report = load(&dir.path().join("m"), &environment).unwrap_err();
    let told: Vec<_> =
        report.diagnostics().iter().map(|d| (d.code, d.message.as_str(), d.help.as_deref())).collect();
    let searched = format!("searched in {}, relative", dir.path().display());
    assert_eq!(
        told,
        [
            ("not-found", "cannot find `x.conf`", Some(searched.as_str())),
            (
                "scheme",
                "`http://x/y` is not a file: the scheme `http` is not supported",
                Some("include a path, or `file:` and a path")
            ),
            ("unreadable", "cannot read `/dev/zero`: it is neither a file nor a directory", None),
        ]
    );
    let report = load(&dir.path().join("nowhere"), &environment).unwrap_err();
    assert_eq!(report.diagnostics().iter().next().unwrap().code, "not-found");
    let report = load(dir.path(), &environment).unwrap_err();
    assert_eq!(report.diagnostics().iter().next().unwrap().code, "not-a-file");
}

#[test]
fn two_spellings_of_one_file_are_one_file() {
    let dir = disk(&[("m", "include d/../m"), ("d/x", "")]);
    let report = load(&dir.path().join("m"), &environment()).unwrap_err();
    assert_eq!(report.diagnostics().iter().next().unwrap().code, "include-cycle");
}
