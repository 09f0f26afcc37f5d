//! The CA's tables.
#![expect(
    missing_docs,
    reason = "the tables are described in docs/DATA-MODEL.md"
)]

diesel::table! {
    authorities (id) {
        id -> Text,
        subject -> Text,
        living_name -> Nullable<Text>,
        parent -> Nullable<Text>,
        description -> Nullable<Text>,
        profile -> Text,
        status -> Text,
        note -> Nullable<Text>,
        successor -> Nullable<Text>,
        serial -> Nullable<Binary>,
        certificate -> Nullable<Binary>,
        outside_chain -> Nullable<Text>,
        csr -> Nullable<Binary>,
        sealed_key -> Nullable<Text>,
        crl_number -> BigInt,
        created_at -> BigInt,
        modified_at -> BigInt,
    }
}

diesel::table! {
    requests (id) {
        id -> Text,
        version -> BigInt,
        state -> Text,
        profile -> Text,
        profile_version -> Text,
        authority -> Text,
        created_at -> BigInt,
        modified_at -> BigInt,
        csr -> Binary,
        requestor -> Nullable<Text>,
        requestor_name -> Nullable<Text>,
        assigned_to -> Nullable<Text>,
        serial -> Nullable<Binary>,
        violations -> Text,
        history -> Text,
        kind -> Text,
        submission -> Nullable<Text>,
        changes -> Nullable<Text>,
        context -> Text,
        renews -> Nullable<Binary>,
    }
}

diesel::table! {
    profiles (id) {
        id -> Text,
        version -> Text,
        standing -> Text,
        stopped_by -> Nullable<Text>,
        stopped_note -> Nullable<Text>,
        text -> Text,
        changed_at -> BigInt,
    }
}

diesel::table! {
    profile_versions (profile, version) {
        profile -> Text,
        version -> Text,
        text -> Text,
        created_at -> BigInt,
        created_by -> Text,
    }
}

diesel::table! {
    statuses (serial) {
        serial -> Binary,
        authority -> Text,
        status -> SmallInt,
        changed_at -> BigInt,
        reason -> Nullable<SmallInt>,
        invalidity_at -> Nullable<BigInt>,
        not_after -> BigInt,
        shard -> Nullable<SmallInt>,
    }
}

diesel::table! {
    certificates (serial) {
        serial -> Binary,
        authority -> Text,
        request_id -> Nullable<Text>,
        profile -> Text,
        profile_version -> Text,
        approved_by -> Text,
        subject -> Text,
        subject_lower -> Text,
        issuer -> Text,
        spki_sha256 -> Binary,
        not_before -> BigInt,
        not_after -> BigInt,
        issued_at -> BigInt,
        tbs -> Nullable<Binary>,
        der -> Nullable<Binary>,
    }
}

diesel::table! {
    certificate_names (name, serial) {
        name -> Text,
        serial -> Binary,
    }
}

diesel::table! {
    journal (id) {
        id -> BigInt,
        position -> Nullable<BigInt>,
        authority -> Text,
        serial -> Binary,
        status -> SmallInt,
        at -> BigInt,
        reason -> Nullable<SmallInt>,
        not_after -> BigInt,
    }
}

diesel::table! {
    crls (authority, scope, number) {
        authority -> Text,
        scope -> Text,
        number -> BigInt,
        base -> Nullable<BigInt>,
        base_at -> Nullable<BigInt>,
        this_update -> BigInt,
        next_update -> BigInt,
        entries -> BigInt,
    }
}

diesel::table! {
    crl_parts (authority, scope, number, part) {
        authority -> Text,
        scope -> Text,
        number -> BigInt,
        part -> BigInt,
        der -> Binary,
    }
}

diesel::table! {
    publications (place, name) {
        place -> Text,
        name -> Text,
        number -> BigInt,
    }
}

diesel::table! {
    crl_urls (authority, scope, url) {
        authority -> Text,
        scope -> Text,
        url -> Text,
        first_used_at -> BigInt,
    }
}

diesel::table! {
    idempotency (scope) {
        scope -> Binary,
        digest -> Binary,
        created_at -> BigInt,
        request_id -> Text,
        answer -> Nullable<Binary>,
    }
}

diesel::table! {
    jobs (id) {
        id -> Text,
        kind -> Text,
        status -> Text,
        done -> BigInt,
        total -> BigInt,
        errors -> BigInt,
        result -> Nullable<Text>,
        task -> Nullable<Text>,
        created_at -> BigInt,
        created_by -> Text,
        last_run_at -> Nullable<BigInt>,
        next_run_at -> Nullable<BigInt>,
        leased_by -> Nullable<Text>,
        lease_ends_at -> Nullable<BigInt>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(statuses, authorities);
diesel::allow_tables_to_appear_in_same_query!(certificates, requests);
diesel::allow_tables_to_appear_in_same_query!(certificates, statuses, certificate_names);
diesel::allow_columns_to_appear_in_same_group_by_clause!(certificates::profile, statuses::status);
