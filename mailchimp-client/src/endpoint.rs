//! Endpoints that need no more than a path and a shape: what their methods and requests have in
//! common is written here, once.

/// Defines the methods that read one collection: a page, and where given a stream of all items.
///
/// Goes into the `impl` of a handle that has `client`. `[self.x]` names the handle's own id,
/// `(x: &str)` the ids its methods take; both fill the placeholders of the path, in this order.
///
/// ```text
/// collection! {
///     "/conversations/{conversation_id}/messages" (conversation_id: &str),
///     "conversation_messages": Message, ListMessages,
///     /// One page of a conversation's messages.
///     page messages,
///     /// All messages of a conversation.
///     stream messages_stream,
/// }
/// ```
macro_rules! collection {
    (
        $template:literal $([self.$own:ident])? $(($($arg:ident: $arg_kind:ty),+))?,
        $key:literal: $item:ty, $request:ty,
        $(#[$page_meta:meta])* page $page:ident,
    ) => {
        $(#[$page_meta])*
        pub async fn $page(
            &self,
            $($($arg: $arg_kind,)+)?
            request: &$request,
        ) -> crate::Result<crate::Fetched<crate::Page<$item>>> {
            let path = crate::Path::new(
                $template,
                &[$(&self.$own,)? $($(&$arg.to_string(),)+)?],
            )?;
            crate::paging::Collection { client: self.client.clone(), path, items_key: $key }
                .page(request.selection()?)
                .await
        }
    };
    (
        $template:literal $([self.$own:ident])? $(($($arg:ident: $arg_kind:ty),+))?,
        $key:literal: $item:ty, $request:ty,
        $(#[$page_meta:meta])* page $page:ident,
        $(#[$stream_meta:meta])* stream $stream:ident,
    ) => {
        crate::endpoint::collection! {
            $template $([self.$own])? $(($($arg: $arg_kind),+))?,
            $key: $item, $request,
            $(#[$page_meta])* page $page,
        }

        $(#[$stream_meta])*
        pub fn $stream(
            &self,
            $($($arg: $arg_kind,)+)?
            request: &$request,
        ) -> crate::Result<impl futures::Stream<Item = crate::Result<$item>> + Send + 'static + use<>> {
            let path = crate::Path::new(
                $template,
                &[$(&self.$own,)? $($(&$arg.to_string(),)+)?],
            )?;
            let collection = crate::paging::Collection {
                client: self.client.clone(),
                path,
                items_key: $key,
            };
            Ok(collection.stream(request.selection()?))
        }
    };
}

/// Defines the method that reads one object. Paths are given as in [`collection!`].
macro_rules! object {
    (
        $template:literal $([self.$own:ident])? $(($($arg:ident: $arg_kind:ty),+))?: $kind:ty,
        $(#[$meta:meta])* $name:ident
    ) => {
        $(#[$meta])*
        pub async fn $name(
            &self,
            $($($arg: $arg_kind,)+)?
            request: &crate::FieldSelection,
        ) -> crate::Result<crate::Fetched<$kind>> {
            let path = crate::Path::new(
                $template,
                &[$(&self.$own,)? $($(&$arg.to_string(),)+)?],
            )?;
            self.client.get(&path, &request.query()?).await
        }
    };
}

/// Defines the request of a collection: its page, which members to send, and its own filters,
/// each under its name in the query unless `as` gives another. `Debug` shows the page alone:
/// filters may name people.
macro_rules! list_request {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$member_meta:meta])* $member:ident $(as $wire:literal)?: $kind:ty,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Default)]
        pub struct $name {
            /// Rows per page; the server's default is 10, its documented maximum 1000.
            pub count: Option<u32>,
            /// Rows to skip.
            pub offset: Option<u64>,
            /// Members of the answer to send, as paths below the envelope.
            pub fields: Vec<String>,
            /// Members of the answer to leave out. What matches nothing is ignored by the server.
            pub exclude_fields: Vec<String>,
            $($(#[$member_meta])* pub $member: Option<$kind>,)+
        }

        impl $name {
            pub(crate) fn selection(&self) -> crate::Result<crate::paging::Selection> {
                let mut filters = crate::Query::new();
                filters.selection(&self.fields, &self.exclude_fields)?;
                $(filters.filter(
                    crate::endpoint::list_request!(@name $member $($wire)?),
                    self.$member.as_ref(),
                );)+
                Ok(crate::paging::Selection {
                    filters,
                    count: self.count,
                    offset: self.offset,
                })
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("count", &self.count)
                    .field("offset", &self.offset)
                    .finish_non_exhaustive()
            }
        }
    };
    (@name $member:ident) => { stringify!($member) };
    (@name $member:ident $wire:literal) => { $wire };
}

pub(crate) use {collection, list_request, object};
