//! The enum of all APIs with their versions.

use std::fmt::Write as _;

use crate::schema::Api;

/// `generated/api_key.rs`.
pub(super) fn module(apis: &[Api]) -> String {
    let mut code = String::from(
        "// Written by `cargo xtask generate` from protocol/schema; do not edit.\n\n\
         //! The APIs that we speak, with their numbers and versions.\n\n\
         use std::fmt;\n\nuse crate::VersionRange;\n\n\
         /// An API: what the first two bytes of a request header name.\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\n\
         #[repr(i16)]\npub enum ApiKey {\n",
    );
    for api in apis {
        let _ = writeln!(code, "/// {}\n{} = {},", api.about, api.name, api.key);
    }
    code.push_str("}\n\nimpl ApiKey {\n");
    let _ = writeln!(
        code,
        "/// All APIs, in the order of their numbers.\npub const ALL: [Self; {}] = [",
        apis.len()
    );
    for api in apis {
        let _ = writeln!(code, "Self::{},", api.name);
    }
    code.push_str(
        "];\n\n/// The API with that number, if we speak it.\n#[must_use]\n\
         pub const fn from_wire(key: i16) -> Option<Self> {\nSome(match key {\n",
    );
    for api in apis {
        let _ = writeln!(code, "{} => Self::{},", api.key, api.name);
    }
    code.push_str(
        "_ => return None,\n})\n}\n\n/// The number in request headers.\n#[must_use]\n\
         pub const fn to_wire(self) -> i16 {\nself as i16\n}\n\n\
         /// Kafka's name of the API.\n#[must_use]\n\
         pub const fn name(self) -> &'static str {\nmatch self {\n",
    );
    for api in apis {
        let _ = writeln!(code, "Self::{0} => \"{0}\",", api.name);
    }
    code.push_str(
        "}\n}\n\n/// The versions that we speak.\n#[must_use]\n\
         pub const fn versions(self) -> VersionRange {\nlet (min, max) = match self {\n",
    );
    for api in apis {
        let versions = api.request.versions;
        let _ = writeln!(code, "Self::{} => ({}, {}),", api.name, versions.min, versions.max);
    }
    code.push_str(
        "};\nVersionRange { min, max }\n}\n\n\
         /// The first flexible version (KIP-482), or `None` if there is none.\n#[must_use]\n\
         pub const fn flexible_from(self) -> Option<i16> {\nSome(match self {\n",
    );
    for api in apis {
        match api.request.flexible_from {
            Some(from) => {
                let _ = writeln!(code, "Self::{} => {from},", api.name);
            }
            None => {
                let _ = writeln!(code, "Self::{} => return None,", api.name);
            }
        }
    }
    code.push_str(
        "})\n}\n}\n\nimpl fmt::Display for ApiKey {\n\
         fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {\n\
         f.write_str(self.name())\n}\n}\n",
    );
    code
}
