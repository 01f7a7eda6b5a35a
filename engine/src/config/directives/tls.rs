//! Encrypted connections.

use super::{COUNT, PORT};
use crate::config::choice::{TlsAuthClients, TlsClientUser, choice};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::setting::{Kind, Secret, Setting, Text};

group! {
    /// Encrypted connections.
    Tls at tls {
        /// Port to listen on for TLS connections; 0 listens on none.
        tls_port: u16 = 0,
        "tls-port", PORT, Mutable, Later;

        /// File with the server's certificate.
        tls_cert_file: Text = Text::default(),
        "tls-cert-file", Kind::Text, Mutable, Later;

        /// File with the certificate's private key.
        tls_key_file: Text = Text::default(),
        "tls-key-file", Kind::Text, Mutable, Later;

        /// Password of the private key.
        tls_key_file_pass: Secret = Secret::default(),
        "tls-key-file-pass", Kind::Secret, Mutable, Later;

        /// File with the certificate for connections to other servers.
        tls_client_cert_file: Text = Text::default(),
        "tls-client-cert-file", Kind::Text, Mutable, Later;

        /// File with that certificate's private key.
        tls_client_key_file: Text = Text::default(),
        "tls-client-key-file", Kind::Text, Mutable, Later;

        /// Password of that private key.
        tls_client_key_file_pass: Secret = Secret::default(),
        "tls-client-key-file-pass", Kind::Secret, Mutable, Later;

        /// File with the certificates of trusted authorities.
        tls_ca_cert_file: Text = Text::default(),
        "tls-ca-cert-file", Kind::Text, Mutable, Later;

        /// Directory with the certificates of trusted authorities.
        tls_ca_cert_dir: Text = Text::default(),
        "tls-ca-cert-dir", Kind::Text, Mutable, Later;

        /// File with Diffie-Hellman parameters.
        tls_dh_params_file: Text = Text::default(),
        "tls-dh-params-file", Kind::Text, Mutable, Later;

        /// Whether clients must show a certificate.
        tls_auth_clients: TlsAuthClients = TlsAuthClients::Yes,
        "tls-auth-clients", choice::<TlsAuthClients>(), Mutable, Later;

        /// Which field of a client's certificate names its user.
        tls_auth_clients_user: TlsClientUser = TlsClientUser::Off,
        "tls-auth-clients-user", choice::<TlsClientUser>(), Mutable, Later;

        /// Whether replication uses TLS.
        tls_replication: bool = false,
        "tls-replication", Kind::Bool, Mutable, Later;

        /// Whether the cluster's own connections use TLS.
        tls_cluster: bool = false,
        "tls-cluster", Kind::Bool, Mutable, Later;

        /// Allowed versions of TLS, parted by spaces; empty allows the usual ones.
        tls_protocols: Text = Text::default(),
        "tls-protocols", Kind::Text, Mutable, Later;

        /// Allowed ciphers up to TLS 1.2.
        tls_ciphers: Text = Text::default(),
        "tls-ciphers", Kind::Text, Mutable, Later;

        /// Allowed cipher suites of TLS 1.3.
        tls_ciphersuites: Text = Text::default(),
        "tls-ciphersuites", Kind::Text, Mutable, Later;

        /// Whether the server's order of ciphers wins.
        tls_prefer_server_ciphers: bool = false,
        "tls-prefer-server-ciphers", Kind::Bool, Mutable, Later;

        /// Whether clients may resume a session.
        tls_session_caching: bool = true,
        "tls-session-caching", Kind::Bool, Mutable, Later;

        /// How many sessions can be resumed; 0 is no limit.
        tls_session_cache_size: u32 = 20_480,
        "tls-session-cache-size", COUNT, Mutable, Later;

        /// For how many seconds a session can be resumed.
        tls_session_cache_timeout_secs: u32 = 300,
        "tls-session-cache-timeout", COUNT, Mutable, Later;

        /// Seconds between two looks at the certificate files for newer ones; 0 never looks.
        tls_auto_reload_interval_secs: u32 = 0,
        "tls-auto-reload-interval", COUNT, Mutable, Later;
    }
}
