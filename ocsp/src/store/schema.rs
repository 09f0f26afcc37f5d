//! The responder's tables.
#![expect(
    missing_docs,
    reason = "the tables are described in docs/DATA-MODEL.md"
)]

diesel::table! {
    statuses (authority, serial) {
        authority -> Text,
        serial -> Binary,
        status -> SmallInt,
        at -> BigInt,
        reason -> Nullable<SmallInt>,
        not_after -> BigInt,
    }
}

diesel::table! {
    feeds (source) {
        source -> Text,
        cursor -> Text,
    }
}
