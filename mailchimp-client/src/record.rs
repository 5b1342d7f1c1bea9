//! Structs of answers.

/// Defines a struct for a documented JSON object: every member a [`Field`](crate::Field), as any
/// may be absent from a partial response, and undocumented members kept in `extra`.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$member_meta:meta])* $member:ident: $kind:ty,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$member_meta])*
                #[serde(default, skip_serializing_if = "crate::Field::is_absent")]
                pub $member: crate::Field<$kind>,
            )+
            /// Members this version of the crate does not know.
            #[serde(flatten)]
            pub extra: crate::JsonObject,
        }
    };
}

pub(crate) use record;
