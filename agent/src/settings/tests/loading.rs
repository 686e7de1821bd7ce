//! Reference sections 1.7, 1.8, 1.10 and 1.11 on a disk, a case for every row.
use super::*;

/// Returns what `cluster_group` and `audit_interval` are with these files, and the search path `S` in the first directory.
#[track_caller]
fn loads(files: &[(&str, &str)], expected: &str) {
    let dir = disk(files);
    let root = dir.path().display().to_string();
    let environment = Environment {
        search_path: Some(format!("{root}/etc:{root}/etc/global:{root}/etc/{{NODENAME}}:{root}/etc/default")),
        ..environment()
    };
    let main = dir.path().join(files[0].0);
    let found = match load(&main, &environment.booted()) {
        Ok(loaded) => {
            let readonly = loaded.config.texts.files.iter().filter(|(_, file)| file.readonly);
            let shown = |name: &str| name.replace(&format!("{root}/"), "");
            let readonly: Vec<_> = readonly.map(|(_, file)| shown(&file.name)).collect();
            format!("{} {}", loaded.settings.cluster_group, readonly.join(",")).trim_end().to_owned()
        }
        Err(report) => {
            let codes: Vec<_> = report.diagnostics().iter().map(|fault| fault.code).collect();
            codes.join(" ")
        }
    };
    assert_eq!(found.replace(&root, "ROOT"), expected, "{files:?}");
}

/// A file that sets `cluster_group`.
fn sets(name: &str) -> String {
    format!("cluster {{ cluster_group = {name} }}\n")
}

#[test]
fn every_row_of_the_include_rules_holds() {
    let (own, global) = (sets("own"), sets("global"));
    let (a, b, dot) = (sets("a"), sets("b"), sets("dot"));
    // Where: any scope.
    loads(&[("m", "cluster { include x }"), ("x", "cluster_group = inside")], "inside");
    // File lookup: absolute, the including file's directory, the search path.
    loads(&[("d/m", "include x"), ("d/x", &own), ("etc/x", &global)], "own");
    loads(&[("d/m", "include e/y"), ("d/e/y", "include x"), ("d/e/x", &own), ("d/x", &global)], "own");
    loads(&[("d/m", "include x"), ("etc/default/x", &global)], "global");
    let dir = disk(&[("x", &own)]);
    let absolute = format!("include \"{}/x\"", dir.path().display());
    loads(&[("m", &absolute), ("x", &global)], "own");
    // Directory: lexical order, dot files skipped, subdirectories not entered.
    loads(&[("m", "include d"), ("d/10", &a), ("d/2", &b), ("d/.3", &dot), ("d/e/4", &dot)], "b");
    // Unquoted and quoted, the keyword in any case.
    loads(&[("m", "INCLUDE \"x\""), ("x", &own)], "own");
    // URI: `file:` and `persist:` are files that may be written, all other schemes are refused.
    let with = |scheme: &str| format!("include \"{scheme}{}/x\"", dir.path().display());
    for scheme in ["file:", "file://", "persist:", "persist:file://"] {
        loads(&[("m", &with(scheme))], "own");
    }
    for refused in ["eccmgr:x", "persist:eccmgr:x", "http://x/y", "persist:http://x/y"] {
        loads(&[("m", &format!("include \"{refused}\""))], "scheme");
    }
    // Missing or unreadable target.
    loads(&[("m", "include nowhere")], "not-found");
    loads(&[("m", "include /dev/null")], "unreadable");
    // readonly_include, and included more than once.
    loads(&[("m", "readonly_include x"), ("x", &own)], "own x");
    loads(&[("m", "readonly_include d"), ("d/1", &a), ("d/2", &b)], "b d/1,d/2");
    loads(&[("m", "readonly_include x"), ("x", "include y"), ("y", &own)], "own x");
    loads(&[("m", "include x include x"), ("x", &own)], "own x");
    loads(&[("m", "include x cluster { readonly_include x }"), ("x", "")], "ec_cluster x");
    // Cycles.
    loads(&[("m", "include m")], "include-cycle");
    loads(&[("m", "include x"), ("x", "include y"), ("y", "include ./x")], "include-cycle");
}

#[test]
fn every_row_of_the_search_path_holds() {
    let (etc, global, node, default) = (sets("etc"), sets("global"), sets("node"), sets("default"));
    let main = ("elsewhere/m", "include x");
    let all = [
        ("etc/x", etc.as_str()),
        ("etc/global/x", &global),
        ("etc/mx1/x", &node),
        ("etc/default/x", &default),
    ];
    // Cluster default: four elements, the first match wins.
    for (first, expected) in ["etc", "global", "node", "default"].into_iter().enumerate() {
        let files: Vec<_> = [main].into_iter().chain(all[first..].iter().copied()).collect();
        loads(&files, expected);
    }
    // Single node: the same without a directory of the node.
    loads(&[main, all[3]], "default");
    // For a file included from conf/default, conf/default comes first.
    loads(&[("etc/default/m", "include x"), all[0], all[1], all[3]], "default");
    // A node-specific file that includes its own name finds itself.
    loads(&[("etc/mx1/x", "include x"), all[3]], "include-cycle");
    // The recipe for small differences: node-local.conf in the node's directory.
    let local = ("etc/default/m", "include node-local.conf");
    loads(&[local, ("etc/mx1/node-local.conf", &node), ("etc/mx2/node-local.conf", &default)], "node");
}

#[test]
fn the_main_file_is_searched_here_then_along_the_path() {
    let dir = disk(&[("etc/global/convoy-test.conf", &sets("found"))]);
    let search_path = Some(format!("{}/etc/global", dir.path().display()));
    let environment = Environment { search_path, ..environment() };
    assert_eq!(&*load(Path::new("convoy-test.conf"), &environment).unwrap().settings.cluster_group, "found");
    let report = load(Path::new("convoy-nowhere.conf"), &environment).unwrap_err();
    let told = report.diagnostics().iter().next().unwrap();
    assert_eq!(told.help.as_deref().unwrap(), format!("searched in ., {}/etc/global", dir.path().display()));
    let absolute = load(&dir.path().join("convoy-test.conf"), &environment).unwrap_err();
    assert_eq!(absolute.diagnostics().iter().next().unwrap().code, "not-found");
}

#[test]
fn a_name_comes_from_the_option_the_variable_the_boot_file_or_the_host() {
    let boot = "cluster_name=west\nnode_name=from-boot\n";
    let table = [
        ("cluster { nodename = from-option }", Some("from-variable"), boot, "from-option"),
        ("", Some("from-variable"), boot, "from-variable"),
        ("", None, boot, "from-boot"),
        ("", None, "cluster_name=west\n", "mx1"),
    ];
    for (text, variable, boot, expected) in table {
        let dir = disk(&[("m", text), ("etc/cluster.boot", boot)]);
        let environment = Environment {
            search_path: Some(format!("{0}/{{NODENAME}}:{0}/etc", dir.path().display())),
            node_name: variable.map(Into::into),
            ..environment()
        };
        let environment = environment.booted();
        assert_eq!(&*load(&dir.path().join("m"), &environment).unwrap().settings.node, expected);
        assert_eq!(environment.subcluster(), "west");
        assert!(Environment { sub_cluster: Some("east".into()), ..environment }.subcluster() == "east");
    }
    assert_eq!(environment().subcluster(), "default");
}

#[test]
fn the_boot_file_decides_where_files_are_searched() {
    let dir = disk(&[
        ("m", "include x include y"),
        (
            "boot/cluster.boot",
            "# written by eccfg bootstrap\nautoupdate=true\nnode_name=mx9\ncluster_name=west\nrepo=auto,manager\n",
        ),
        ("node-mx9/x", "cluster { audit_interval = 9 }"),
        ("sub-west/y", "cluster { cluster_group = west }"),
    ]);
    let root = dir.path().display();
    let path = format!("{root}/nowhere:{root}/node-{{NODENAME}}:{root}/sub-{{SUBCLUSTER}}:{root}/boot");
    let environment = Environment { search_path: Some(path), ..environment() }.booted();
    let loaded = load(&dir.path().join("m"), &environment).unwrap();
    assert_eq!((&*loaded.settings.cluster_group, &*loaded.settings.node), ("west", "mx9"));
    assert!(loaded.warnings.is_empty());
    assert_eq!(loaded.config.texts.files.len(), 3);
}

#[test]
fn a_faulty_boot_file_is_told_with_its_place() {
    let dir = disk(&[("m", ""), ("etc/cluster.boot", "cluster_name=west\nrepo=,\nnodename=x\n")]);
    let search_path = Some(dir.path().join("etc").display().to_string());
    let environment = Environment { search_path, ..environment() }.booted();
    let report = load(&dir.path().join("m"), &environment).unwrap_err().to_string();
    let shown = report.replace(&format!("{}/", dir.path().display()), "");
    let expected = "\
error: `repo`: a place is missing between two commas
 --> etc/cluster.boot:2:6
  |
2 | repo=,
  |      ^

warning: unknown key `nodename` is passed over
 --> etc/cluster.boot:3:1
  |
3 | nodename=x
  | ^^^^^^^^
  = help: did you mean `node_name`?

1 error, 1 warning
";
    assert_eq!(shown, expected);
    fs::write(dir.path().join("etc/cluster.boot"), vec![b'#'; bounds::BOOT_BYTES_MAX + 1]).unwrap();
    let report = load(&dir.path().join("m"), &environment.booted()).unwrap_err();
    assert_eq!(report.diagnostics().iter().next().unwrap().code, "file-too-long");
}
