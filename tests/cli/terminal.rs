//! What it looks like on a terminal, which `script` of util-linux makes.

use std::io::Write;
use std::process::Command;

use serde_json::json;

use super::{DeafServer, Said, siot, start};
use crate::support::Server;
use crate::support::folder::Folder;

const GREEN: &str = "\u{1b}[32m";

/// Runs it on a terminal, with these variables.
fn on_a_terminal(args: &[&str], variables: &[(&str, &str)]) -> Said {
    let shell = |command: &Command| {
        let words = [command.get_program()].into_iter().chain(command.get_args());
        let quoted = words.map(|word| format!("'{}'", word.to_str().unwrap()));
        quoted.collect::<Vec<_>>().join(" ")
    };
    let command = siot(args);
    let mut script = Command::new("script");
    script.args(["-qec", &shell(&command), "/dev/null"]);
    script.env_remove("NO_COLOR").env("TERM", "xterm").envs(variables.iter().copied());
    start(script).end()
}

#[test]
fn there_are_colours_unless_somebody_wants_none() {
    let server = Server::start(json!({}));
    let url = server.url();
    let shown = |args: &[&str], variables: &[(&str, &str)]| {
        on_a_terminal(&[&["doctor", &url][..], args].concat(), variables).ended_with(0).out
    };
    assert!(shown(&[], &[]).contains(GREEN));
    assert!(!shown(&[], &[("NO_COLOR", "1")]).contains('\u{1b}'));
    assert!(!shown(&[], &[("TERM", "dumb")]).contains('\u{1b}'));
    assert!(!shown(&["--json"], &[]).contains('\u{1b}'));
}

#[test]
fn who_sends_a_file_sees_how_far_it_is() {
    let server = DeafServer::start();
    let folder = Folder::new();
    let file = folder.path("film");
    std::fs::File::create(&file).unwrap().write_all(&vec![7; 32 << 20]).unwrap();
    let url = server.url();
    let args = ["emit", &url, "film", "--binary", file.to_str().unwrap(), "--timeout", "5s"];
    let args = [&args[..], &DeafServer::OPTIONS].concat();
    let said = on_a_terminal(&args, &[]).ended_with(1);
    assert!(said.out.contains(" of 33.6 MB, "), "{said:?}");
    assert!(said.out.contains("not delivered"), "{said:?}");
    let said = on_a_terminal(&[&args[..], &["--quiet"]].concat(), &[]).ended_with(1);
    assert!(!said.out.contains(" MB"), "{said:?}");
}
