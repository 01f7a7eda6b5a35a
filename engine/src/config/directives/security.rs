//! Who may do what.

use super::LONG;
use crate::config::choice::{Permission, PubsubDefault, choice};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::directives::startup::{Declarations, Renames};
use crate::config::setting::{Kind, Secret, Setting, Text};

group! {
    /// Who may do what.
    Security at security {
        /// Password that clients must give with AUTH before anything else; empty asks for none.
        requirepass: Secret = Secret::default(),
        "requirepass", Kind::Secret, Mutable, Live;

        /// Whether CONFIG SET may change protected directives, such as `dir`: `no`, `yes`, or
        /// only for `local` clients.
        enable_protected_configs: Permission = Permission::No,
        "enable-protected-configs", choice::<Permission>(), StartOnly, Live;

        /// Whether DEBUG may be used: `no`, `yes`, or only by `local` clients.
        enable_debug_command: Permission = Permission::No,
        "enable-debug-command", choice::<Permission>(), StartOnly, Live;

        /// Whether MODULE may be used. There are no modules.
        enable_module_command: Permission = Permission::No,
        "enable-module-command", choice::<Permission>(), StartOnly, Later;

        /// Gives a command another name, or takes it away with `""`.
        rename_command: Renames = Renames::default(),
        "rename-command", Kind::Checked { shape: "name and new name", check: |_| Ok(()) },
        StartOnly, Live, FileOnly;

        /// Declares a user: a name and rules.
        users: Declarations = Declarations::default(),
        "user", Kind::Checked { shape: "name and rules", check: |_| Ok(()) },
        StartOnly, Later, FileOnly;

        /// File with the users; not to be combined with `user` lines.
        aclfile: Text = Text::default(),
        "aclfile", Kind::PlainText, StartOnly, Later;

        /// How many refusals ACL LOG keeps.
        acllog_max_len: u64 = 128,
        "acllog-max-len", LONG, Mutable, Later;

        /// Whether a new user may use all channels or none.
        acl_pubsub_default: PubsubDefault = PubsubDefault::ResetChannels,
        "acl-pubsub-default", choice::<PubsubDefault>(), Mutable, Later;
    }
}
