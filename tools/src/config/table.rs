//! COLD: the macro that makes a table, the typed section it is read into, and its reader of one list of keys.

/// Makes a table of keys and the typed section that it is read into, field by field.
macro_rules! table {
    ($(#[doc = $meaning:literal])+ $section:ident: $table:literal, repeated: $repeated:literal {
        $($(#[doc = $doc:literal])+ $name:ident: $value:ty => $kind:expr, $unit:literal, $presence:expr, $sample:expr;)+
    }) => {
        $(#[doc = $meaning])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $section {
            $($(#[doc = $doc])+ pub $name: $value,)+
        }

        impl $section {
            /// The table and its keys.
            pub const TABLE: $crate::config::keys::Table = $crate::config::keys::Table {
                name: $table,
                meaning: concat!($($meaning),+),
                repeated: $repeated,
                keys: &[$($crate::config::keys::ConfigKey {
                    name: stringify!($name),
                    meaning: concat!($($doc),+),
                    kind: $kind,
                    unit: $unit,
                    presence: $presence,
                    sample: $sample,
                }),+],
            };

            /// Reads every key; `None` where one is missing or wrong, which is then among the problems.
            pub(super) fn read(
                section: &$crate::config::read::Section<'_>,
                problems: &mut $crate::config::read::Problems,
            ) -> Option<$section> {
                $(let $name = $crate::config::value::take::<$value>(section, stringify!($name), problems);)+
                Some($section { $($name: $name?),+ })
            }

            /// What is in effect, key by key.
            #[must_use]
            pub fn effective(&self) -> Vec<(&'static str, serde_json::Value)> {
                vec![$((stringify!($name), $crate::config::value::KeyValue::to_json(&self.$name))),+]
            }
        }
    };
}
pub(super) use table;
