//! Inputs out of the bytes that a fuzzer makes up.

use super::audit::{Audit, Input, NAMESPACES, PACKETS};
use crate::options::{ManagerOptions, Transport, WhenFull};

/// Plays what these bytes say, to its end. Panics where something does not hold.
pub(crate) fn play(bytes: &[u8]) {
    let mut script = Script(bytes);
    let Some(options) = script.options() else { return };
    let mut audit = Audit::new(options);
    while let Some(input) = script.input() {
        audit.apply(&input);
    }
    audit.assert_ends_well();
}

/// What is left of the bytes. Whatever they are, they say something.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn below(&mut self, end: usize) -> Option<usize> {
        Some(usize::from(self.byte()?) % end)
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.byte()? & 1 == 1)
    }

    /// Up to a minute, mostly a short time, in milliseconds.
    fn millis(&mut self) -> Option<u64> {
        Some(u64::from(self.byte()?).pow(2) * 60_000 / u64::from(u8::MAX).pow(2))
    }

    /// As long as its first byte says, and its last one is not.
    fn text(&mut self) -> Option<String> {
        let length = usize::from(self.byte()?).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn options(&mut self) -> Option<ManagerOptions> {
        const TRANSPORTS: [&[Transport]; 4] = [
            &[Transport::WebSocket],
            &[Transport::Polling],
            &[Transport::Polling, Transport::WebSocket],
            &[Transport::WebSocket, Transport::Polling],
        ];
        const POLICIES: [WhenFull; 3] =
            [WhenFull::Wait, WhenFull::DropNewest, WhenFull::DropOldest];
        let mut options = ManagerOptions {
            transports: TRANSPORTS[self.below(TRANSPORTS.len())?].to_vec(),
            try_all_transports: self.flag()?,
            remember_upgrade: self.flag()?,
            reconnection_attempts: u32::try_from(self.below(4)?).ok().filter(|most| *most < 3),
            ..ManagerOptions::default()
        };
        let policy = POLICIES[self.below(POLICIES.len())?];
        options.limits =
            options.limits.clone().send_events(4).receive_events(4).when_send_full(policy);
        Some(options)
    }

    fn packet(&mut self) -> Option<String> {
        // The kinds of most that a server says are listed; the others are what the fuzzer says.
        match self.below(2 * PACKETS.len())? {
            known if known < PACKETS.len() => Some(PACKETS[known].to_owned()),
            _ => self.text(),
        }
    }

    fn input(&mut self) -> Option<Input> {
        let namespace = |script: &mut Self| script.below(NAMESPACES.len());
        let link = |script: &mut Self| script.below(usize::from(u8::MAX));
        Some(match self.below(29)? {
            0 => Input::Connect(namespace(self)?),
            1 => Input::Disconnect(namespace(self)?),
            2 => Input::Renew(namespace(self)?),
            3 => Input::Emit {
                namespace: namespace(self)?,
                ack: self.flag()?,
                timeout: self.millis().filter(|millis| *millis > 0),
                volatile: self.flag()?,
            },
            4 => Input::Reply(namespace(self)?, u32::from(self.byte()?) % 3),
            5 => Input::Auth(self.flag()?),
            6 => Input::Open,
            7 => Input::Close,
            8 => Input::CloseEngine,
            9 => Input::Connected(link(self)?),
            10 => Input::Handshake(link(self)?),
            11 => Input::Receive(link(self)?, self.packet()?),
            12 => Input::Written(link(self)?),
            13 => Input::Progressed(link(self)?),
            14 => Input::Lose(link(self)?),
            15 => Input::End(link(self)?),
            16 => Input::Advance(self.millis()?),
            17 => Input::Sleep(self.millis()?),
            18 => Input::ClearSendBuffer(namespace(self)?),
            19 => Input::Slow(self.flag()?),
            20 => Input::Accumulate(self.flag()?),
            21 => Input::Deaf(self.flag()?),
            22 => Input::Pong(link(self)?),
            23 => Input::Stubborn(self.flag()?),
            24 => Input::Retries(u32::try_from(self.below(4)?).ok().filter(|most| *most < 3)),
            25 => Input::Reconnection(self.flag()?),
            26 => Input::Old(self.flag()?),
            27 => Input::TakeUnsent(namespace(self)?),
            _ => Input::Finish,
        })
    }
}
