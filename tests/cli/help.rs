//! What the command says of itself.

use super::run;

const COMMANDS: [&str; 4] = ["listen", "emit", "doctor", "bench"];

#[test]
fn help_has_examples_and_the_codes() {
    let said = run(&["--help"]).ended_with(0);
    assert!(said.out.contains("Exit codes:") && said.out.contains("completions"), "{}", said.out);
    for command in COMMANDS {
        let long = run(&[command, "--help"]).ended_with(0).out;
        for part in ["Examples:", "Exit codes:", "--auth-file", "--insecure", "SIOT_AUTH"] {
            assert!(long.contains(part), "{command} without {part}:\n{long}");
        }
        // Nobody asked for colours on a pipe.
        assert!(!long.contains('\u{1b}'), "{long}");
        let short = run(&[command, "-h"]).ended_with(0).out;
        assert!(short.contains("Examples:") && !short.contains("Exit codes:"), "{short}");
    }
    let serve = run(&["serve", "--help"]).ended_with(0).out;
    for part in ["Examples:", "Exit codes:", "`echo`", "--origin"] {
        assert!(serve.contains(part), "serve without {part}:\n{serve}");
    }
}

#[test]
fn a_wrong_command_line_is_a_code_of_its_own_and_says_what_is_right() {
    let said = run(&["lissten"]).ended_with(2);
    assert!(said.err.contains("'listen'"), "{said:?}");
    for args in [
        &["listen"][..],
        &["emit", "http://h"],
        &["listen", "http://h", "--count", "0"],
        &["listen", "http://h", "--timeout", "soon"],
        &["emit", "http://h", "--events", "x"],
        &["emit", "http://h", "x", "--cert", "a"],
        &["serve", "127.0.0.1:0", "x"],
        &["serve", "127.0.0.1:0", "--cert", "a"],
        &["man", "nothing"],
    ] {
        let said = run(args).ended_with(2);
        assert!(!said.err.is_empty() && said.out.is_empty(), "{args:?}: {said:?}");
    }
}

#[test]
fn completions_and_manual_pages_are_there() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).ended_with(0).out;
        assert!(script.contains("doctor") && script.contains("auth-file"), "{shell}");
    }
    assert!(run(&["man"]).ended_with(0).out.contains(".TH siot 1"));
    for command in COMMANDS.into_iter().chain(["serve"]) {
        let page = run(&["man", command]).ended_with(0).out;
        assert!(
            page.contains(&format!("siot\\-{command}")) && page.contains("Examples:"),
            "{page}"
        );
        let help = run(&[command, "--help"]).ended_with(0).out;
        let usage = help.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap();
        let synopsis = page.split_once(".SH SYNOPSIS\n").unwrap().1.lines().next().unwrap();
        assert_eq!(synopsis.replace("\\-", "-"), usage);
    }
}
