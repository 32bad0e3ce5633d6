//! A fleet that loses its server: how many attempts to connect per second the server has to bear, with the
//! schedule of the JavaScript client and with `Builder::reconnection_spread`.
//!
//! The devices are the library's own state machines, in virtual time: two hours pass in seconds. They are
//! all switched on at once, the server restarts after ten minutes, and after twenty it is away for an hour.
//!
//! ```sh
//! cargo run --release --example fleet [-- --devices N --spread SECONDS --svg FILE]
//! ```
//!
//! There are 100000 devices, and `Builder::reconnection_spread` is 300 s, unless said otherwise. The attempts per
//! second are drawn into siot-fleet.svg, in the folder for temporary files, or into the file of `--svg`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use siot::Builder;
use siot::internal::Device;
use siot_examples::Arguments;

/// When the server restarts: it closes all connections, and takes new ones.
const RESTART: u64 = 600;
/// When it goes away, and when it is back.
const OUTAGE: u64 = 1200;
const BACK: u64 = OUTAGE + 3600;

/// What is asked for on the command line.
struct Fleet {
    devices: u32,
    spread: u64,
    svg: PathBuf,
}

/// The attempts of each second.
struct Attempts {
    name: &'static str,
    color: &'static str,
    by_second: Vec<u32>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fleet = Fleet::asked_for();
    // Time enough after the outage for all to be back.
    let seconds = usize::try_from(BACK + 2 * fleet.spread)?;
    let steady = f64::from(fleet.devices) / Duration::from_secs(fleet.spread).as_secs_f64();
    println!("{} devices, spread over {} s: {steady:.0} per second", fleet.devices, fleet.spread);

    let mut theirs = Attempts::new("JavaScript's schedule", "#c33", seconds);
    let mut ours = Attempts::new("reconnection_spread", "#36c", seconds);
    let builder = Builder::new("http://server")
        .reconnection_spread(Duration::from_secs(fleet.spread))
        .spread_first_attempt(true);
    for number in 0..fleet.devices {
        run_javascript(&mut fastrand::Rng::with_seed(number.into()), &mut theirs);
        run(Device::new(&builder, number.into()), &mut ours);
    }
    for attempts in [&theirs, &ours] {
        attempts.report(steady);
    }
    std::fs::write(&fleet.svg, draw(&[&theirs, &ours], steady)?)?;
    println!("drawn: {}", fleet.svg.display());
    Ok(())
}

impl Fleet {
    fn asked_for() -> Self {
        let arguments =
            Arguments::read(include_str!("fleet.rs"), &["--devices", "--spread", "--svg"]);
        let fleet = Self {
            devices: arguments.option("--devices").unwrap_or(100_000),
            spread: arguments.option("--spread").unwrap_or(300),
            svg: (arguments.option("--svg"))
                .unwrap_or_else(|| std::env::temp_dir().join("siot-fleet.svg")),
        };
        if arguments.url().is_some() {
            arguments.fail("there is no server in this, and so no URL");
        }
        if fleet.devices == 0 || !(1..=RESTART / 2).contains(&fleet.spread) {
            let most = RESTART / 2;
            arguments.fail(format_args!("at least one device, and a spread of 1 to {most} s"));
        }
        fleet
    }
}

/// When the server closes the connection of a device that is connected at this time.
fn next_close(now: Duration) -> Option<Duration> {
    [RESTART, OUTAGE].map(Duration::from_secs).into_iter().find(|close| *close > now)
}

fn is_away(now: Duration) -> bool {
    (OUTAGE..BACK).contains(&now.as_secs())
}

/// Runs a device of ours.
fn run(mut device: Device, attempts: &mut Attempts) {
    let mut now = Duration::ZERO;
    device.connect(now);
    while attempts.goes_on(now) {
        if device.is_trying() {
            attempts.count(now);
            if is_away(now) {
                device.refuse(now);
            } else {
                device.accept(now);
            }
            continue;
        }
        // While it waits for an attempt it has no connection that could be closed.
        let close = next_close(now).filter(|_| device.is_connected());
        let Some(next) = device.next_deadline().into_iter().chain(close).min() else { return };
        now = next;
        if close == Some(now) { device.close(now) } else { device.expire(now) }
    }
}

/// Runs a device with the JavaScript client's schedule and its default options.
fn run_javascript(random: &mut fastrand::Rng, attempts: &mut Attempts) {
    let mut now = Duration::ZERO;
    let mut failed = 0;
    while attempts.goes_on(now) {
        attempts.count(now);
        if !is_away(now) {
            failed = 0;
            let Some(close) = next_close(now) else { return };
            now = close;
        }
        // One second, doubled each time, give or take a half, and at most five.
        let delay = 2_f64.powi(failed) * (0.5 + random.f64());
        now += Duration::from_secs_f64(delay.min(5.0));
        failed = (failed + 1).min(10);
    }
}

impl Attempts {
    fn new(name: &'static str, color: &'static str, seconds: usize) -> Self {
        Self { name, color, by_second: vec![0; seconds] }
    }

    fn second(now: Duration) -> usize {
        usize::try_from(now.as_secs()).unwrap_or(usize::MAX)
    }

    fn goes_on(&self, now: Duration) -> bool {
        Self::second(now) < self.by_second.len()
    }

    fn count(&mut self, now: Duration) {
        self.by_second[Self::second(now)] += 1;
    }

    fn most(&self, from: u64, to: u64) -> f64 {
        let seconds = Duration::from_secs(from)..Duration::from_secs(to);
        let range = Self::second(seconds.start)..Self::second(seconds.end);
        self.by_second.get(range).into_iter().flatten().max().copied().unwrap_or(0).into()
    }

    fn report(&self, steady: f64) {
        println!("{}:", self.name);
        let end = self.by_second.len().try_into().unwrap_or(u64::MAX);
        for (what, from, to) in [
            ("switched on", 0, RESTART),
            ("restart", RESTART, OUTAGE),
            ("outage", OUTAGE, BACK),
            ("back", BACK, end),
        ] {
            let most = self.most(from, to);
            let times = most / steady;
            println!("  {what}: at most {most} per second, {times:.2} times the steady rate");
        }
        let verdict = if self.most(0, end) <= 2.0 * steady { "never" } else { "at times" };
        println!("  {verdict} above twice the steady rate");
    }
}

/// Draws the attempts per second, by a logarithmic scale.
fn draw(all: &[&Attempts], steady: f64) -> Result<String, std::fmt::Error> {
    const WIDTH: f64 = 900.0;
    const HEIGHT: f64 = 360.0;
    const LEFT: f64 = 70.0;
    const TOP: f64 = 30.0;
    let seconds = f64::from(u32::try_from(all[0].by_second.len()).unwrap_or(u32::MAX));
    let top = all.iter().flat_map(|one| &one.by_second).max().copied().unwrap_or(1).max(10);
    let decades = f64::from(top).log10().ceil();
    let x = |second: f64| LEFT + WIDTH * second / seconds;
    let y = |rate: f64| TOP + HEIGHT * (1.0 - rate.max(1.0).log10() / decades);
    let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        right + 20.0,
        bottom + 50.0
    );
    let mut rate = 1_u64;
    while rate <= 10_u64.pow(9) && y(Duration::from_secs(rate).as_secs_f64()) >= TOP - 0.5 {
        let at = y(Duration::from_secs(rate).as_secs_f64());
        writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#ddd\"/>")?;
        let text = LEFT - 6.0;
        writeln!(
            svg,
            "<text x=\"{text}\" y=\"{:.1}\" text-anchor=\"end\">{rate}</text>",
            at + 4.0
        )?;
        rate *= 10;
    }
    for (what, second) in [("on", 0), ("restart", RESTART), ("outage", OUTAGE), ("back", BACK)] {
        let at = x(Duration::from_secs(second).as_secs_f64());
        writeln!(svg, "<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#999\"/>")?;
        let minute = second / 60;
        writeln!(svg, "<text x=\"{at:.1}\" y=\"{}\">{what}, min {minute}</text>", bottom + 16.0)?;
    }
    for (what, rate) in [("steady rate", steady), ("twice", 2.0 * steady)] {
        let at = y(rate);
        writeln!(
            svg,
            "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#393\" stroke-dasharray=\"4\"/>"
        )?;
        let above = at - 3.0;
        writeln!(
            svg,
            "<text x=\"{right}\" y=\"{above:.1}\" text-anchor=\"end\" fill=\"#393\">{what}</text>"
        )?;
    }
    for (index, attempts) in (0_u8..).zip(all) {
        let mut path = String::new();
        for (second, rate) in (0_u32..).zip(&attempts.by_second) {
            let command = if second == 0 { 'M' } else { 'L' };
            write!(path, "{command}{:.1} {:.1}", x(second.into()), y((*rate).into()))?;
        }
        let (name, color) = (attempts.name, attempts.color);
        writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\"/>")?;
        let at = LEFT + 260.0 * f64::from(index);
        writeln!(
            svg,
            "<text x=\"{at}\" y=\"18\" fill=\"{color}\">{name}, attempts per second</text>"
        )?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}
