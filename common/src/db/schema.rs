//! The tables that every service has.
#![expect(
    missing_docs,
    reason = "the tables are described in docs/DATA-MODEL.md"
)]

diesel::table! {
    users (id) {
        id -> Text,
        name -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    user_certificates (spki_sha256) {
        spki_sha256 -> Binary,
        user_id -> Text,
        certificate -> Binary,
        created_at -> BigInt,
    }
}

diesel::table! {
    groups (name) {
        name -> Text,
        description -> Text,
    }
}

diesel::table! {
    group_members (group_name, user_id) {
        group_name -> Text,
        user_id -> Text,
    }
}

diesel::table! {
    audit (id) {
        id -> BigInt,
        position -> Nullable<BigInt>,
        at -> BigInt,
        actor -> Text,
        event -> Text,
        object -> Text,
        leaf -> Binary,
    }
}

diesel::allow_tables_to_appear_in_same_query!(users, user_certificates, groups, group_members);
