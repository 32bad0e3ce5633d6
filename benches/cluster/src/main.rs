//! What a cluster of three servers costs, of ours and of Node.js: `benches/cluster/run`.

mod load;
mod node;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["node", port, socket] => node::serve(port, socket),
        ["load", socket, script] => load::run(socket, script),
        _ => panic!("usage: cluster node PORT SOCKET | cluster load SOCKET SCRIPT"),
    }
}
