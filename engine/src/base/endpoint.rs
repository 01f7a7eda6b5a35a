//! One end of a connection, as text shows it.

use std::fmt;
use std::net::SocketAddr;

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An internet address.
    Ip(SocketAddr),
    /// A unix socket: the listener's path, empty when unnamed.
    Unix(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(SocketAddr::V4(addr)) => write!(out, "{addr}"),
            Self::Ip(SocketAddr::V6(addr)) => write!(out, "[{}]:{}", addr.ip(), addr.port()),
            Self::Unix(path) => write!(out, "{path}:0"),
        }
    }
}
