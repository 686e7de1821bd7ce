//! The manual pages in dist/man are those of the program's own help. To write them again after a change:
//! `CONVOY_WRITE=write cargo test -p convoy-tests --test cli manual`.
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use convoy_agent::command::Args;
use std::{env, fs, path::Path};

/// Returns name and text of the page of a command and of every command below it.
fn pages(command: &Command, pages: &mut Vec<(String, String)>) {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut text = Vec::new();
    // The date would change with every run; a page belongs to a version.
    let man = Man::new(command.clone()).date("").source("Convoy").manual("Convoy");
    man.render(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
    pages.push((format!("{name}.1"), text));
    command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
        .for_each(|below| self::pages(below, pages));
}

#[test]
fn manual_pages_say_what_help_says() {
    let mut command = Args::command();
    command.build();
    let (mut made, dir) = (Vec::new(), Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/man"));
    pages(&command, &mut made);
    if env::var_os("CONVOY_WRITE").is_some() {
        fs::create_dir_all(&dir).unwrap();
        for (name, text) in &made {
            fs::write(dir.join(name), text).unwrap();
        }
    }
    for (name, text) in &made {
        let found = fs::read_to_string(dir.join(name)).unwrap_or_default();
        assert!(found == *text, "dist/man/{name} is not what the program says; see the head of this file");
    }
    let found = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let commands = found.filter(|path| path.extension().is_some_and(|section| section == "1"));
    assert_eq!(commands.count(), made.len(), "dist/man holds pages of no command");
}
