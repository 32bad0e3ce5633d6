//! The names of channels.

/// The channels of one namespace, as one server uses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamespaceChannels {
    /// Broadcasts; those for one room have its name and `#` behind this.
    pub(crate) broadcasts: String,
    /// What is asked of all servers. Who subscribes to it is counted as one.
    pub(crate) requests: String,
    /// What all servers hear of answers.
    pub(crate) responses: String,
    /// What this one alone hears of answers.
    pub(crate) own_responses: String,
}

/// What comes by a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChannelKind<'a> {
    /// For all, or for those in the one room that is named.
    Broadcast(Option<&'a str>),
    Request,
    Response,
}

impl NamespaceChannels {
    /// Those of a server of this name in a namespace, under a key.
    pub(crate) fn new(key: &str, namespace: &str, name: &str) -> Self {
        let responses = format!("{key}-response#{namespace}#");
        Self {
            broadcasts: format!("{key}#{namespace}#"),
            requests: format!("{key}-request#{namespace}#"),
            own_responses: format!("{responses}{name}#"),
            responses,
        }
    }

    /// By what the channels of broadcasts are subscribed to. The name of a namespace is a client's, who could name all
    /// channels by it.
    pub(crate) fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.broadcasts.len() + 1);
        for letter in self.broadcasts.chars() {
            if matches!(letter, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern + "*"
    }

    /// What comes by this channel; `None`: nothing of this namespace.
    pub(crate) fn kind_of<'a>(&self, channel: &'a str) -> Option<ChannelKind<'a>> {
        if channel == self.requests {
            return Some(ChannelKind::Request);
        }
        if channel == self.responses || channel == self.own_responses {
            return Some(ChannelKind::Response);
        }
        match channel.strip_prefix(&*self.broadcasts)? {
            "" => Some(ChannelKind::Broadcast(None)),
            room => Some(ChannelKind::Broadcast(Some(room.strip_suffix('#')?))),
        }
    }
}
