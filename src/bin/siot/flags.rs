//! The library's names of its options, and what they are on the command line.

/// Behind a name is the flag, or the variable, that has the same effect.
const FLAGS: [(&str, &str); 18] = [
    ("the `auth` option", "`--auth-file`"),
    ("`auth`", "`--auth-file`"),
    ("`path`", "`--path`"),
    ("`namespace_timeout`", "`--connect-timeout`"),
    ("`Builder::no_proxy`", "`--no-proxy`"),
    ("`Builder::parser`", "`--parser`"),
    ("`Builder::path`", "`--path`"),
    ("`Builder::revision`", "`--revision`"),
    ("`Builder::transports`", "`--transports`"),
    ("`Limits::max_message`", "`--max-message`"),
    ("`Proxy::credentials`", "`--proxy http://USER:PASSWORD@HOST:PORT`"),
    ("`Revision::Auto`", "`--revision auto`"),
    ("`Tls::ca_file`", "`--ca`"),
    ("`Tls::client_cert_files`", "`--cert` and `--key`"),
    ("`Tls::passphrase`", "the variable `SIOT_PASSPHRASE`"),
    ("`Tls::server_name`", "`--server-name`"),
    ("`Tls::", "`"),
    ("reject_unauthorized(false)", "-k"),
];

/// A text of the library in the words of the command line.
pub(crate) fn named(text: &str) -> String {
    FLAGS.iter().fold(text.to_owned(), |text, (name, flag)| text.replace(name, flag))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What the command has no flag for, or never asks the library for.
    const WITHOUT: [&str; 13] = [
        "`Buffer::when_full`",
        "`Builder::with_credentials(true)`",
        "`Limits::receive_reserve`",
        "`Limits::receive_total`",
        "`Limits::send_bytes`",
        "`Limits::send_events`",
        "`Manager::close`",
        "`Manager::network_changed`",
        "`Server::close`",
        "`ServerBuilder::max_attachments`",
        "`ServerNamespace::connections`",
        "`ServerNamespace::subscribe_all`",
        "`Tls::{option}`",
    ];

    /// Gives what stands between backticks on lines that are code.
    fn quoted(folder: &Path, names: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("bin") {
                quoted(&path, names);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = |line: &&str| !line.trim_start().starts_with(['/', '#']);
                for line in text.lines().filter(code) {
                    let parts = line.split('`').skip(1).step_by(2);
                    names.extend(parts.map(|name| format!("`{name}`")));
                }
            }
        }
    }

    #[test]
    fn all_that_the_library_names_has_a_flag_or_is_known_to_have_none() {
        let mut names = Vec::new();
        quoted(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
        names.retain(|name| name.contains("::") && !name.contains(' '));
        assert!(names.len() > 20, "{names:?}");
        let forgotten: Vec<_> = names
            .iter()
            .filter(|name| !FLAGS.iter().any(|(known, _)| known == name))
            .filter(|name| !WITHOUT.contains(&name.as_str()))
            .collect();
        assert!(forgotten.is_empty(), "neither in FLAGS nor in WITHOUT: {forgotten:?}");
    }

    #[test]
    fn the_words_of_the_library_become_flags() {
        assert_eq!(named("give it by `Tls::ca_file`"), "give it by `--ca`");
        assert_eq!(named("not verified (reject_unauthorized(false))"), "not verified (-k)");
        assert_eq!(named("no means for `Tls::min_version`"), "no means for `min_version`");
    }
}
