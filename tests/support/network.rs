//! A network of a test's own, where packets vanish and name servers lie.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::dns::Dns;
use super::process::again;

/// Addresses of the network's one machine, which is this one.
pub(crate) const V4: [&str; 3] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
/// As [`V4`]. The system prefers them: [`Network::prefers_v6`].
pub(crate) const V6: [&str; 3] = ["2001:db8::1", "2001:db8::2", "2001:db8::3"];

/// Where tools for administrators are, which is not on everyone's path.
const SBIN: &str = "/usr/sbin:/sbin";

/// What the system knows of name servers.
const RESOLVER: &str = "/etc/resolv.conf";

/// A network namespace that only the loopback interface is in, and a name server.
pub(crate) struct Network {
    pub(crate) dns: Dns,
}

/// Runs the calling test's closure in a process of its own, which is in a network of its own.
///
/// It has the addresses [`V4`] and [`V6`], no way to any other, and asks its own name server only.
/// Call it as the whole body of a test: `fn claim() { isolated(|network| { … }); }`.
#[track_caller]
pub(crate) fn isolated<F: FnOnce(&Network)>(body: F) {
    if again::<F>(isolation) {
        body(&Network::new());
    }
}

/// The command that runs a program in namespaces of its own: as its own root, or else as root.
#[track_caller]
fn isolation(program: PathBuf) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut problems = String::new();
    for namespaces in [&["--user", "--map-root-user"][..], &[]] {
        let mut unshare = Command::new("unshare");
        unshare.env("PATH", format!("{path}:{SBIN}")).args(namespaces).args(["--net", "--mount"]);
        let mut trial = Command::new("unshare");
        let trial = trial.args(unshare.get_args()).arg("true").output();
        match trial {
            Ok(output) if output.status.success() => {
                unshare.arg(program);
                return unshare;
            }
            Ok(output) => problems += &String::from_utf8_lossy(&output.stderr),
            Err(error) => panic!("`unshare` does not start: {error}; apt install util-linux"),
        }
    }
    panic!(
        "this test needs a network namespace, which the system refuses; run it as root, or allow \
         user namespaces (sysctl kernel.unprivileged_userns_clone=1 \
         kernel.apparmor_restrict_unprivileged_userns=0):\n{problems}"
    );
}

#[allow(clippy::unused_self, reason = "only for those who have such a network")]
impl Network {
    /// Furnishes the namespaces of this process.
    #[track_caller]
    fn new() -> Self {
        ip("link set lo up");
        for address in V4 {
            ip(&format!("address add {address}/32 dev lo"));
        }
        for address in V6 {
            ip(&format!("address add {address}/128 dev lo"));
        }
        nft("add table inet test");
        nft("add chain inet test input { type filter hook input priority 0; }");
        // Those of nscd and systemd-resolved would ask name servers outside.
        mount("/etc/nsswitch.conf", "hosts: files dns\n");
        mount(RESOLVER, "");
        if Path::new("/var/run/nscd").exists() {
            run("mount", "util-linux", &["-t", "tmpfs", "none", "/var/run/nscd"]);
        }
        let dns = Dns::start();
        let network = Self { dns };
        network.resolver_options("timeout:1 attempts:2");
        network
    }

    /// How the system asks the name server: resolv.conf(5).
    #[track_caller]
    pub(crate) fn resolver_options(&self, options: &str) {
        let text = format!("nameserver {}\noptions {options}\n", self.dns.ip());
        std::fs::write(RESOLVER, text).expect("the file that is mounted there");
    }

    /// From now on whatever is sent to this address vanishes.
    #[track_caller]
    pub(crate) fn black_hole(&self, address: &str) {
        self.filter(&format!("{} daddr {address} drop", family(address)));
    }

    /// A rule of nft(8) for what comes in, before all others.
    #[track_caller]
    pub(crate) fn filter(&self, rule: &str) {
        nft(&format!("insert rule inet test input {rule}"));
    }

    /// Takes all rules away.
    #[track_caller]
    pub(crate) fn heal(&self) {
        nft("flush chain inet test input");
    }

    /// A command of ip(8).
    #[track_caller]
    pub(crate) fn ip(&self, command: &str) {
        ip(command);
    }
}

fn family(address: &str) -> &'static str {
    if address.parse::<IpAddr>().expect("an address").is_ipv4() { "ip" } else { "ip6" }
}

#[track_caller]
fn ip(command: &str) {
    run("ip", "iproute2", &command.split(' ').collect::<Vec<_>>());
}

#[track_caller]
fn nft(command: &str) {
    run("nft", "nftables", &[command]);
}

/// Puts a text in the place of a system's file, for this process and those that it starts.
#[track_caller]
fn mount(file: &str, text: &str) {
    let name = format!("siot-{}-{}", std::process::id(), file.replace('/', "-"));
    let source = std::env::temp_dir().join(name);
    std::fs::write(&source, text).expect("a file in the temporary folder");
    let path = source.to_str().expect("a path in UTF-8");
    run("mount", "mount", &["--bind", path, file]);
    // What is mounted stays as long as the namespace.
    std::fs::remove_file(&source).expect("the file that was written");
}

#[track_caller]
fn run(tool: &str, package: &str, args: &[&str]) {
    let output = Command::new(tool).args(args).output().unwrap_or_else(|error| {
        panic!("`{tool}` does not start: {error}; apt install {package}");
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {}: {errors}", args.join(" "));
}
