//! Profiles: read, written, judged and obeyed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use tests::foreign::{
    KeyKind, OpensslCsr, certificate_extension as extension, certificate_is_accepted,
    certificate_subject, openssl, openssl_csr, path, pkilint_certificate,
};
use tests::world::{Answer, World, eventually, text};

const CFG: &str = "text/x-dogtag-profile";
const TOML: &str = "application/toml";

/// Profiles in Dogtag's notation that cannot be enabled, with everything that has to be named.
const NOT_READY: [(&str, &[&str]); 19] = [
    ("siteAcmeEdge", &["SessionAuthentication"]),
    (
        "siteCmcSelfSigned",
        &[
            "CMCUserSignedAuth",
            "cmcCertReqInputImpl",
            "cmcUserSignedSubjectNameDefaultImpl",
            "cmcUserSignedSubjectNameConstraintImpl",
        ],
    ),
    (
        "siteCmcServer",
        &["CMCAuth", "cmcCertReqInputImpl", "cmmfOutputImpl"],
    ),
    (
        "siteCmcSharedSecret",
        &[
            "SharedToken",
            "cmcCertReqInputImpl",
            "cmcSharedTokenSubjectNameConstraintImpl",
        ],
    ),
    (
        "siteCtServer",
        &["SignedCertificateTimestampListExtDefaultImpl"],
    ),
    (
        "siteDirGroupUser",
        &["UidPwdGroupDirAuth", "authTokenSubjectNameDefaultImpl"],
    ),
    (
        "siteDirLoginUser",
        &["UserPwdDirAuth", "authTokenSubjectNameDefaultImpl"],
    ),
    (
        "siteDirPinUser",
        &[
            "PinDirEnrollment",
            "authTokenSubjectNameDefaultImpl",
            "user_origreq",
        ],
    ),
    (
        "siteDirUser",
        &["UserDirEnrollment", "authTokenSubjectNameDefaultImpl"],
    ),
    (
        "siteEstDevice",
        &[
            "CMCAuthForEST",
            "cmcCertReqInputImpl",
            "raHeaderClientCertSubjectNameConstraintImpl",
        ],
    ),
    (
        "siteEstGateway",
        &[
            "raClientAuthInfoInputImpl",
            "raClientAuthSubjectNameConstraintImpl",
        ],
    ),
    (
        "siteFileSigning",
        &["fileSigningInputImpl", "externalProcessConstraintImpl"],
    ),
    (
        "siteFuturePlugins",
        &[
            "BiometricAuth",
            "hologramInputImpl",
            "hologramOutputImpl",
            "carrierPigeonUpdaterImpl",
            "latticeSubjectNameDefaultImpl",
            "latticeConstraintImpl",
            "moonPhaseConstraintImpl",
            "caQuantumEnrollImpl",
        ],
    ),
    ("siteImageBadge", &["dogtag:agent", "cmmfOutputImpl"]),
    ("siteInstallSubsystem", &["subsystemGroupUpdaterImpl"]),
    (
        "siteKeygenUser",
        &[
            "serverKeygenInputImpl",
            "serverKeygenUserKeyDefaultImpl",
            "p12ExportPasswordConstraintImpl",
            "pkcs12OutputImpl",
        ],
    ),
    ("siteScepRouter", &["flatFileAuth"]),
    (
        "siteTokenDevice",
        &[
            "nsHKeyCertReqInputImpl",
            "nsNKeyOutputImpl",
            "nsTokenDeviceKeySubjectNameDefaultImpl",
        ],
    ),
    (
        "siteTokenUser",
        &[
            "nsNKeyCertReqInputImpl",
            "nsNKeyOutputImpl",
            "nsTokenUserKeySubjectNameDefaultImpl",
        ],
    ),
];

/// The files of the corpus: id and text.
fn corpus() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    files.sort();
    let read = |file: PathBuf| {
        let id = file.file_stem().and_then(|stem| stem.to_str());
        let text = fs::read_to_string(&file).expect("it is UTF-8");
        (id.expect("a name").to_owned(), text)
    };
    files.into_iter().map(read).collect()
}

/// Keys and values in order, as an independent reader of the notation sees them.
fn pairs(cfg: &str) -> Vec<(&str, &str)> {
    cfg.lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|line| line.split_once('=').expect("key=value"))
        .collect()
}

fn import(world: &World, id: &str, cfg: &str) -> Answer {
    world
        .post(&format!("/pki/profiles?id={id}"))
        .as_user("admin")
        .body(CFG, cfg.as_bytes())
        .send()
}

fn show(world: &World, id: &str) -> Answer {
    world
        .get(&format!("/pki/profile/{id}"))
        .as_user("admin")
        .send()
        .with_status(200)
}

fn export(world: &World, id: &str, format: &str) -> String {
    world
        .get(&format!("/pki/profile/{id}?format={format}"))
        .as_user("admin")
        .send()
        .with_status(200)
        .text()
}

fn set_status(world: &World, id: &str, user: &str, status: &str) -> Answer {
    world
        .put(&format!("/pki/profile/{id}/status"))
        .as_user(user)
        .json(&json!({ "status": status }).to_string())
        .send()
}

fn change(world: &World, id: &str, toml: &str) -> Answer {
    let etag = show(world, id).header("etag").expect("a tag");
    world
        .put(&format!("/pki/profile/{id}"))
        .as_user("admin")
        .header("If-Match", &etag)
        .body(TOML, toml.as_bytes())
        .send()
}

#[test]
fn dogtags_notation_comes_back_key_by_key() {
    let world = World::up();
    let corpus = corpus();
    assert!(corpus.len() >= 40);
    for (id, cfg) in &corpus {
        import(&world, id, cfg).with_status(201);
        let exported = export(&world, id, "cfg");
        assert_eq!(pairs(&exported), pairs(cfg), "{id}");

        // Through our own notation, too: out of the database, in again under another name.
        let toml = export(&world, id, "toml");
        let copy = toml.replacen(&format!("id = \"{id}\""), "id = \"copy\"", 1);
        world
            .post("/pki/profiles")
            .as_user("admin")
            .body(TOML, copy.as_bytes())
            .send()
            .with_status(201);
        let again = export(&world, "copy", "cfg");
        let again = again.replacen("profileId=copy", &format!("profileId={id}"), 1);
        assert_eq!(pairs(&again), pairs(cfg), "{id} by way of TOML");
        assert_eq!(export(&world, "copy", "toml"), copy, "{id}");
        let gone = world.call("DELETE", "/pki/profile/copy").as_user("admin");
        gone.send().with_status(204);

        // In the raw form of Dogtag's interface, which states id and class first.
        if !cfg.contains("profileId=") {
            let raw = format!("profileId=raw\nclassId=caEnrollImpl\n{cfg}");
            import(&world, "raw", &raw).with_status(201);
            assert_eq!(
                pairs(&export(&world, "raw", "cfg")),
                pairs(&raw),
                "{id} raw"
            );
            let gone = world.call("DELETE", "/pki/profile/raw").as_user("admin");
            gone.send().with_status(204);
        }
    }
}

#[test]
fn what_a_profile_lacks_is_named_when_it_is_enabled() {
    let world = World::up();
    for (id, cfg) in corpus() {
        import(&world, &id, &cfg).with_status(201);
        let answer = set_status(&world, &id, "agent1", "enabled");
        let listed = NOT_READY.iter().find(|(known, _)| *known == id);
        let Some((_, names)) = listed else {
            assert_eq!(answer.status, 200, "{id}: {}", answer.text());
            assert_eq!(answer.json()["enabled"], true);
            continue;
        };
        answer.problem(422);
        let body = answer.json();
        let messages: Vec<&str> = body["violations"]
            .as_array()
            .expect("violations")
            .iter()
            .map(|violation| text(&violation["message"]))
            .collect();
        for name in *names {
            let named = messages.iter().any(|message| message.contains(name));
            assert!(named, "{id}: {name} is not in {messages:?}");
        }
        for message in &messages {
            let expected = names.iter().any(|name| message.contains(name));
            assert!(expected, "{id}: unexpected: {message}");
        }
        let shown = show(&world, &id).json();
        assert_eq!(shown["status"], "disabled");
        assert_eq!(
            shown["problems"].as_array().map(Vec::len),
            Some(messages.len())
        );
    }
}

#[test]
fn administrators_write_profiles_and_agents_enable_them() {
    let world = World::up();
    let toml = export(&world, "caAgentServerCert", "toml").replacen(
        "id = \"caAgentServerCert\"",
        "id = \"mine\"",
        1,
    );
    let create = |user: &str| {
        let call = world.post("/pki/profiles").as_user(user);
        call.body(TOML, toml.as_bytes()).send()
    };
    for user in ["agent1", "auditor", "token"] {
        assert_eq!(create(user).problem(403), "forbidden", "{user}");
    }
    let created = create("admin").with_status(201);
    assert_eq!(
        created.header("location").as_deref(),
        Some("/pki/profile/mine")
    );
    assert_eq!(created.json()["enabled"], false);
    assert_eq!(create("admin").problem(409), "profile-exists");

    // Not enabled: nobody can ask, and the public does not see it.
    let csr = csr(&world, "one");
    let ask = |world: &World| {
        let call = world.post("/pki/request/mine").as_user("agent1");
        call.body("application/pkcs10", &csr.der).send()
    };
    ask(&world).problem(404);
    world.get("/pki/profile/mine").send().problem(404);
    set_status(&world, "mine", "admin", "enabled").problem(403);
    set_status(&world, "mine", "agent1", "enabled").with_status(200);
    assert_eq!(
        set_status(&world, "mine", "agent2", "enabled").problem(409),
        "profile-status"
    );
    world.get("/pki/profile/mine").send().with_status(200);
    ask(&world).with_status(201);

    // Enabled: not to be changed or deleted.
    assert_eq!(change(&world, "mine", &toml).problem(409), "profile-status");
    let delete = || world.call("DELETE", "/pki/profile/mine").as_user("admin");
    assert_eq!(delete().send().problem(409), "profile-status");
    set_status(&world, "mine", "agent1", "disabled").with_status(200);
    let blind = world.put("/pki/profile/mine").as_user("admin");
    let blind = blind.body(TOML, toml.as_bytes()).send();
    blind.problem(428);
    let stale = world
        .put("/pki/profile/mine")
        .as_user("admin")
        .header("If-Match", "\"old\"");
    stale.body(TOML, toml.as_bytes()).send().problem(412);
    change(&world, "mine", &toml.replace("397", "100")).with_status(200);
    let other = toml.replacen("id = \"mine\"", "id = \"other\"", 1);
    assert_eq!(change(&world, "mine", &other).violated_fields(), ["id"]);
    delete().send().with_status(204);
    show_is_gone(&world, "mine");
}

fn show_is_gone(world: &World, id: &str) {
    let call = world.get(&format!("/pki/profile/{id}")).as_user("admin");
    call.send().problem(404);
}

#[test]
fn json_can_be_sent_back_as_it_was_shown() {
    let world = World::up();
    for id in [
        "caServerCert",
        "caSMIMECert",
        "caManualRenewal",
        "caIPAserviceCert",
    ] {
        let before = show(&world, id).json();
        set_status(&world, id, "agent1", "disabled").with_status(200);
        let shown = show(&world, id);
        let put = world
            .put(&format!("/pki/profile/{id}"))
            .as_user("admin")
            .header("If-Match", &shown.header("etag").expect("a tag"));
        let mut body = shown.json();
        body["enabled"] = json!(true);
        put.json(&body.to_string()).send().with_status(200);
        set_status(&world, id, "agent1", "enabled").with_status(200);
        let mut after = show(&world, id).json();
        // The names of inputs, which followed from their classes, are stated now.
        after["version"] = before["version"].clone();
        assert_eq!(after, before, "{id}");
    }
}

#[test]
fn a_request_and_its_certificate_remember_the_version_that_made_them() {
    let world = World::up();
    let csr = csr(&world, "one");
    let (id, _) = world.submit("caServerCert", &csr.der, None);
    let serial = world.approve(&id, "agent1");
    let agent = |path: String| world.get(&path).as_user("agent1").send().json();
    let version = show(&world, "caServerCert").json()["version"].clone();
    let version = text(&version).to_owned();
    let certificate = agent(format!("/pki/certificate/{serial}"));
    assert_eq!(certificate["profile_version"], version);
    assert_eq!(
        agent(format!("/pki/request/{id}"))["profile_version"],
        version
    );

    // The profile is edited while another request waits.
    let (waiting, _) = world.submit("caServerCert", &csr.der, None);
    let before = request_tag(&world, &waiting);
    let toml = export(&world, "caServerCert", "toml");
    set_status(&world, "caServerCert", "agent1", "disabled").with_status(200);
    assert_eq!(
        world
            .decide(&waiting, "agent1", r#"{"status":"approved"}"#)
            .problem(409),
        "profile-disabled"
    );
    change(&world, "caServerCert", &toml.replace("397", "30")).with_status(200);
    set_status(&world, "caServerCert", "agent1", "enabled").with_status(200);
    assert_ne!(request_tag(&world, &waiting), before);
    let refused = world.decide(&waiting, "agent1", r#"{"status":"approved"}"#);
    assert_eq!(refused.problem(409), "profile-changed");

    // What the certificate was made under can still be read, exactly.
    let now = text(&show(&world, "caServerCert").json()["version"]).to_owned();
    assert_ne!(now, version);
    let old = format!("/pki/profile/caServerCert?format=toml&version={version}");
    let old = world.get(&old).as_user("agent1").send().with_status(200);
    assert_eq!(old.text(), toml);
    let unknown = format!("/pki/profile/caServerCert?version={}", "0".repeat(64));
    world.get(&unknown).as_user("agent1").send().problem(404);

    // Disabling and enabling alone is no new version.
    set_status(&world, "caServerCert", "agent1", "disabled").with_status(200);
    set_status(&world, "caServerCert", "agent1", "enabled").with_status(200);
    assert_eq!(show(&world, "caServerCert").json()["version"], now);
}

fn request_tag(world: &World, id: &str) -> Option<String> {
    let shown = world.get(&format!("/pki/request/{id}")).send();
    shown.header("etag")
}

#[test]
fn an_administrator_stops_a_profile_at_once() {
    let world = World::up();
    let csr = csr(&world, "one");
    let (waiting, _) = world.submit("caServerCert", &csr.der, None);
    set_status(&world, "caServerCert", "agent1", "stopped").problem(403);
    let stopped = world
        .put("/pki/profile/caServerCert/status")
        .as_user("admin")
        .json(r#"{"status":"stopped","note":"wrong policy identifier"}"#)
        .send()
        .with_status(200)
        .json();
    assert_eq!(stopped["status"], "stopped");
    assert_eq!(stopped["stopped"], "by admin: wrong policy identifier");
    let ask = || {
        let call = world.post("/pki/request/caServerCert");
        call.body("application/pkcs10", &csr.der).send()
    };
    assert_eq!(ask().problem(409), "issuance-stopped");
    let approve = || world.decide(&waiting, "agent1", r#"{"status":"approved"}"#);
    assert_eq!(approve().problem(409), "issuance-stopped");
    // Agents do not lift what an administrator has stopped.
    set_status(&world, "caServerCert", "agent1", "enabled").problem(403);
    set_status(&world, "caServerCert", "admin", "enabled").with_status(200);
    ask().with_status(201);
    approve().with_status(200);
    let limit = Duration::from_secs(1);
    assert!(eventually(limit, || ask().status == 201));
}

#[test]
fn profiles_survive_a_restart_as_they_were_left() {
    let mut world = World::up();
    let (id, cfg) = corpus().swap_remove(0);
    import(&world, &id, &cfg).with_status(201);
    set_status(&world, "caServerCert", "agent1", "disabled").with_status(200);
    set_status(&world, "caUserCert", "agent1", "disabled").with_status(200);
    let gone = world.call("DELETE", "/pki/profile/caUserCert");
    gone.as_user("admin").send().with_status(204);
    world.restart();
    assert_eq!(pairs(&export(&world, &id, "cfg")), pairs(&cfg));
    assert_eq!(show(&world, "caServerCert").json()["status"], "disabled");
    // A shipped profile that was deleted stays deleted.
    show_is_gone(&world, "caUserCert");
}

#[test]
fn texts_that_are_no_profiles_are_refused_by_line_and_field() {
    let world = World::up();
    let post = |media_type: &str, body: &str| {
        let call = world.post("/pki/profiles").as_user("admin");
        call.body(media_type, body.as_bytes()).send()
    };
    let cfg = |body: &str| post(CFG, body);
    assert_eq!(cfg("desc=x\n").violated_fields(), ["cfg"]);
    for (body, word) in [
        ("profileId=a\nname\n", "line 2"),
        ("profileId=a\nname=x\n\nname=y\n", "line 4"),
        ("profileId=a b\n", "id"),
        ("profileId=9\n", "id"),
    ] {
        let answer = cfg(body);
        answer.problem(422);
        assert!(answer.text().contains(word), "{}", answer.text());
    }
    assert_eq!(
        post(TOML, "id = \"a\"\ncolour = \"red\"\n").violated_fields(),
        ["toml"]
    );
    assert_eq!(post(TOML, "id = ").violated_fields(), ["toml"]);
    assert_eq!(
        post("application/json", r#"{"id":"a","colour":1}"#).violated_fields(),
        ["colour"]
    );
    post("application/json", "{").problem(400);
    post("text/plain", "x").problem(415);
    let both = world.post("/pki/profiles?id=b").as_user("admin");
    let both = both.body(CFG, b"profileId=a\n").send();
    assert_eq!(both.violated_fields(), ["cfg"]);
    let format = world.get("/pki/profile/caServerCert?format=xml").send();
    assert_eq!(format.violated_fields(), ["format"]);
}

#[test]
fn a_dry_run_explains_every_policy_and_leaves_no_trace() {
    let world = World::up();
    let csr = openssl_csr(
        world.dir(),
        "dry",
        KeyKind::P256,
        "/CN=dry.example",
        &["DNS:dry.example", "DNS:www.dry.example"],
    );
    let dry = |profile: &str, csr: &OpensslCsr| -> Value {
        let call = world.post(&format!("/pki/request/{profile}?dry_run=true"));
        let call = call.as_user("agent1").body("application/pkcs10", &csr.der);
        call.send().with_status(200).json()
    };
    let before = requests(&world);
    let answer = dry("caServerCert", &csr);
    assert_eq!(answer["violations"], json!([]));
    assert_eq!(answer["certificate"]["subject"], "CN=dry.example");
    let policies = answer["policies"].as_array().expect("policies");
    let profile = show(&world, "caServerCert").json();
    let ids = |list: &[Value]| -> Vec<String> {
        list.iter().map(|p| text(&p["id"]).to_owned()).collect()
    };
    assert_eq!(
        ids(policies),
        ids(profile["policies"].as_array().expect("policies"))
    );
    let filled = |id: &str| {
        let found = policies.iter().find(|policy| policy["id"] == id);
        found.expect("it is there")["filled"].to_string()
    };
    assert!(filled("subject").contains("CN=dry.example"));
    assert!(filled("subject-alt-name").contains("dns:www.dry.example"));
    assert!(filled("validity").contains("validity from"));
    assert!(filled("key-usage").contains("keyUsage, critical: digitalSignature"));
    let key = policies.iter().find(|policy| policy["id"] == "key");
    assert!(text(&key.expect("there")["checked"]).contains("keyParameters = 2048"));

    // Refusals, each at its policy and all of them at once.
    let user = openssl_csr(
        world.dir(),
        "x",
        KeyKind::P256,
        "/O=Nobody",
        &["DNS:a.example"],
    );
    let refused = dry("caCACert", &user);
    let subject = &refused["policies"][0];
    assert!(text(&subject["refused"]).contains("does not match"));
    let rules: Vec<&str> = refused["violations"]
        .as_array()
        .expect("violations")
        .iter()
        .map(|violation| text(&violation["rule"]))
        .collect();
    assert!(
        rules.contains(&"subject-name") && rules.contains(&"subject-alt-name"),
        "{rules:?}"
    );

    assert_eq!(requests(&world), before, "nothing is recorded");
    let call = world.post("/pki/request/caServerCert?dry_run=perhaps");
    let wrong = call.body("application/pkcs10", &csr.der).send();
    assert_eq!(wrong.violated_fields(), ["dry_run"]);
}

fn requests(world: &World) -> Vec<String> {
    let list = world.get("/pki/requests").as_user("agent1").send();
    list.with_status(200).ids()
}

#[test]
fn names_of_a_request_are_taken_refused_or_replaced_and_never_dropped() {
    let world = World::up();
    let csr = openssl_csr(
        world.dir(),
        "names",
        KeyKind::P256,
        "/CN=one.example",
        &["DNS:two.example"],
    );
    let body = json!({
        "csr": csr.pem,
        "requestor": { "email": "one@mail.example" },
    });
    let dry = |profile: &str| {
        let call = world.post(&format!("/pki/request/{profile}?dry_run=true"));
        call.as_user("agent1").json(&body.to_string()).send().json()
    };
    let taken = dry("caServerCert");
    assert_eq!(
        taken["certificate"]["subject_alt_names"],
        json!(["dns:two.example", "dns:one.example"])
    );
    let refused = dry("caCodeSigningCert");
    assert_eq!(refused["violations"][0]["rule"], "subject-alt-name");
    assert_eq!(refused["violations"][0]["value"], "dns:two.example");
    let replaced = dry("caSMIMECert");
    assert_eq!(replaced["violations"], json!([]), "{replaced}");
    assert_eq!(
        replaced["certificate"]["subject_alt_names"],
        json!(["email:one@mail.example"])
    );
    let said = replaced["policies"].to_string();
    assert!(said.contains("dns:two.example of the request is replaced"));
}

#[test]
fn a_renamed_subject_leaves_no_name_of_the_old_one_behind() {
    let world = World::up();
    let csr = openssl_csr(
        world.dir(),
        "old",
        KeyKind::P256,
        "/CN=old.example",
        &["DNS:old.example", "DNS:both.example"],
    );
    let (id, _) = world.submit("caServerCert", &csr.der, None);
    let rename = |names: Value| {
        let changes = json!({ "subject": "CN=new.example", "subject_alt_names": names });
        let body = json!({ "status": "approved", "changes": changes });
        world.decide(&id, "agent1", &body.to_string())
    };
    let refused = rename(Value::Null);
    refused.problem(422);
    assert_eq!(refused.violated_fields(), ["changes.subject"]);
    assert!(refused.text().contains("dns:old.example"));
    let approved = rename(json!(["dns:both.example"])).with_status(200).json();
    let certificate = world.save_certificate(text(&approved["certificate"]["id"]));
    let names = extension(&certificate, "subjectAltName");
    assert!(names.contains("new.example") && names.contains("both.example"));
    assert!(!names.contains("old.example"), "{names}");
}

#[test]
fn a_profile_chooses_among_what_the_authority_can_sign_with() {
    let world = World::up_with(&["--ca-key", "rsa-2048"]);
    let toml = export(&world, "caAgentServerCert", "toml");
    let profile = |id: &str, algorithm: &str| {
        let policy = format!(
            "\n[[policies]]\nid = \"signature\"\ndefault = {{ class = \"signingAlgDefaultImpl\", \
             signingAlg = \"{algorithm}\" }}\nconstraint = {{ class = \"signingAlgConstraintImpl\", \
             signingAlgsAllowed = \"SHA512withRSA,SHA256withRSA/PSS\" }}\n"
        );
        let text = toml.replacen("\"caAgentServerCert\"", &format!("\"{id}\""), 1) + &policy;
        let post = world.post("/pki/profiles").as_user("admin");
        post.body(TOML, text.as_bytes()).send().with_status(201);
        set_status(&world, id, "agent1", "enabled").with_status(200);
    };
    let csr = csr(&world, "signed");
    let ask = |id: &str| {
        let call = world.post(&format!("/pki/request/{id}")).as_user("agent1");
        call.body("application/pkcs10", &csr.der).send()
    };
    for (id, algorithm, shown) in [
        ("sha512", "SHA512withRSA", "sha512WithRSAEncryption"),
        ("pss", "SHA256withRSA/PSS", "rsassaPss"),
    ] {
        profile(id, algorithm);
        let request = ask(id).with_status(201).json();
        let certificate = world.save_certificate(text(&request["certificate"]["id"]));
        let words = openssl(&["x509", "-in", path(&certificate), "-noout", "-text"]);
        assert!(words.contains(shown), "{words}");
        certificate_is_accepted(&world.ca_pem(), &[], &certificate);
    }
    for (id, algorithm) in [("other", "SHA384withRSA"), ("ec", "SHA256withEC")] {
        profile(id, algorithm);
        assert_eq!(ask(id).json()["violations"][0]["rule"], "signing-algorithm");
    }
}

#[test]
fn kinds_of_names_that_a_profile_does_not_list_are_refused() {
    let world = World::up();
    let principal = "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:admin@domain.example";
    let csr = openssl_csr(
        world.dir(),
        "principal",
        KeyKind::P256,
        "/CN=host.example",
        &["DNS:host.example", principal],
    );
    for profile in ["caServerCert", "caUserCert", "acmeServerCert"] {
        let call = world.post(&format!("/pki/request/{profile}?dry_run=true"));
        let call = call.as_user("agent1").body("application/pkcs10", &csr.der);
        let run = call.send().with_status(200).json();
        let rules = run["violations"].to_string();
        assert!(rules.contains("subject-alt-name"), "{profile}: {rules}");
    }
}

/// What gets a certificate under an imported profile: who asks, subject, key, inputs, and words that
/// OpenSSL must find in the certificate.
struct Case {
    profile: &'static str,
    user: Option<&'static str>,
    subject: &'static str,
    key: KeyKind,
    names: &'static [&'static str],
    inputs: &'static [(&'static str, &'static str)],
    words: &'static [&'static str],
}

const PLAIN: Case = Case {
    profile: "",
    user: None,
    subject: "",
    key: KeyKind::P256,
    names: &[],
    inputs: &[],
    words: &[],
};

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    vec![
        Case {
            profile: "siteServerCert",
            subject: "/CN=a1.dc1.example.test/O=Example",
            ..PLAIN
        },
        Case {
            profile: "siteEdgeEcServer",
            user: Some("agent1"),
            subject: "/CN=edge1.example.test",
            ..PLAIN
        },
        Case {
            profile: "siteServerByPattern",
            subject: "/CN=web-3.farm.example.test",
            key: KeyKind::Rsa2048,
            words: &["DNS:web-3.farm.example.test", "DNS:www.web-3", "URI:"],
            ..PLAIN
        },
        Case {
            profile: "siteMailCert",
            subject: "/CN=Desk 4",
            inputs: &[("requestor_email", "desk4@example.test")],
            words: &["email:desk4@example.test"],
            ..PLAIN
        },
        Case {
            profile: "siteTimeStamp",
            user: Some("agent1"),
            subject: "/O=Example/CN=Time Stamp 1",
            words: &[
                "Time Stamping",
                "Private Key Usage Period",
                "Subject Information Access",
            ],
            ..PLAIN
        },
        Case {
            profile: "siteOcspResponder",
            subject: "/O=Example/CN=OCSP 1",
            words: &["OCSP Signing", "OCSP No Check"],
            ..PLAIN
        },
        Case {
            profile: "sitePolicyServer",
            subject: "/C=CH/O=Stadt Zürich/CN=www.example.test",
            key: KeyKind::Rsa3072,
            words: &["Certificate Policies", "Explicit Text"],
            ..PLAIN
        },
        Case {
            profile: "siteCrlPoints",
            subject: "/CN=www.example.test",
            words: &[
                "CRL Distribution Points",
                "Freshest CRL",
                "Issuer Alternative Name",
            ],
            ..PLAIN
        },
        Case {
            profile: "siteShortLived",
            user: Some("agent1"),
            subject: "/CN=c-81.example.test",
            names: &["DNS:c-81.example.test"],

            ..PLAIN
        },
        Case {
            profile: "siteMustStaple",
            subject: "/CN=www.example.test",
            words: &["status_request"],
            ..PLAIN
        },
        Case {
            profile: "siteRealmService",
            subject: "/CN=svc.example.test",
            inputs: &[("cost_centre", "12")],
            ..PLAIN
        },
        Case {
            profile: "siteNetscapeLegacy",
            user: Some("agent1"),
            subject: "/CN=press-2.example.test",
            key: KeyKind::Rsa2048,
            words: &["Netscape Cert Type", "Netscape Comment"],
            ..PLAIN
        },
        Case {
            profile: "siteJitterServer",
            user: Some("agent1"),
            subject: "/",
            names: &["DNS:jitter.example.test"],
            words: &["DNS:jitter.example.test"],
            ..PLAIN
        },
        Case {
            profile: "siteUserSignIn",
            subject: "/O=Example/UID=worker7",
            inputs: &[
                ("sn_uid", "worker7"),
                ("requestor_email", "worker7@example.test"),
            ],
            words: &["email:worker7@example.test"],
            ..PLAIN
        },
    ]
}

#[test]
fn imported_profiles_issue_what_they_say() {
    let world = World::up();
    let corpus = corpus();
    for (number, case) in cases().into_iter().enumerate() {
        let id = case.profile;
        let (_, cfg) = corpus.iter().find(|(known, _)| known == id).expect(id);
        import(&world, id, cfg).with_status(201);
        set_status(&world, id, "agent1", "enabled").with_status(200);
        let name = format!("case{number}");
        let csr = openssl_csr(world.dir(), &name, case.key, case.subject, case.names);
        let inputs: serde_json::Map<String, Value> = case
            .inputs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let body = json!({ "csr": csr.pem, "inputs": inputs });
        let mut call = world.post(&format!("/pki/request/{id}"));
        if let Some(user) = case.user {
            call = call.as_user(user);
        }
        let answer = call.json(&body.to_string()).send();
        assert_eq!(answer.status, 201, "{id}: {}", answer.text());
        let request = answer.json();
        let serial = match text(&request["status"]) {
            "complete" => text(&request["certificate"]["id"]).to_owned(),
            _ => world.approve(text(&request["id"]), "agent2"),
        };
        let certificate = world.save_certificate(&serial);
        let words = openssl(&["x509", "-in", path(&certificate), "-noout", "-text"]);
        for word in case.words {
            assert!(words.contains(word), "{id}: no {word} in {words}");
        }
    }
}

#[test]
fn shipped_profiles_issue_what_linters_accept() {
    let world = World::up();
    for (profile, user, subject, names) in [
        (
            "caECServerCert",
            None,
            "/CN=ec.example",
            vec!["DNS:ec.example"],
        ),
        (
            "acmeServerCert",
            Some("agent1"),
            "/",
            vec!["DNS:acme.example"],
        ),
        (
            "estServerCert",
            Some("agent1"),
            "/CN=est.example",
            vec!["DNS:est.example"],
        ),
        (
            "caShortLivedServerCert",
            Some("agent1"),
            "/CN=six.example",
            vec!["DNS:six.example"],
        ),
        ("caCodeSigningCert", None, "/CN=Releases", vec![]),
        ("caSubCACert", None, "/CN=Sub CA", vec![]),
        ("caAuditSigningCert", None, "/CN=Audit", vec![]),
        ("caAdminCert", None, "/CN=Somebody", vec![]),
    ] {
        let csr = openssl_csr(world.dir(), profile, KeyKind::P256, subject, &names);
        let (id, _) = world.submit(profile, &csr.der, user);
        let request = world.get(&format!("/pki/request/{id}")).as_user("agent1");
        let request = request.send().json();
        let serial = match text(&request["status"]) {
            "complete" => text(&request["certificate"]["id"]).to_owned(),
            _ => world.approve(&id, "agent2"),
        };
        let certificate = world.save_certificate(&serial);
        pkilint_certificate(&certificate);
        certificate_is_accepted(&world.ca_pem(), &[], &certificate);
        if profile == "acmeServerCert" {
            assert!(certificate_subject(&certificate).contains("acme.example"));
        }
    }
}

#[test]
fn a_key_or_a_subject_that_must_be_unique_is() {
    let world = World::up();
    let toml = export(&world, "caAgentServerCert", "toml").replacen(
        "id = \"caAgentServerCert\"",
        "id = \"unique\"",
        1,
    ) + r#"
[[policies]]
id = "unique-key"
default = { class = "noDefaultImpl" }
constraint = { class = "uniqueKeyConstraintImpl", allowSameKeyRenewal = "true" }

[[policies]]
id = "unique-subject"
default = { class = "noDefaultImpl" }
constraint = { class = "uniqueSubjectNameConstraintImpl" }
"#;
    let post = world.post("/pki/profiles").as_user("admin");
    post.body(TOML, toml.as_bytes()).send().with_status(201);
    set_status(&world, "unique", "agent1", "enabled").with_status(200);
    let ask = |csr: &OpensslCsr| {
        let call = world.post("/pki/request/unique").as_user("agent1");
        call.body("application/pkcs10", &csr.der).send()
    };
    let first = csr(&world, "first");
    let serial = ask(&first).with_status(201).json();
    let rules = |answer: &Answer| -> Vec<String> {
        let body = answer.json();
        let violations = body["violations"].as_array().cloned().unwrap_or_default();
        violations
            .iter()
            .map(|violation| text(&violation["rule"]).to_owned())
            .collect()
    };
    assert_eq!(rules(&ask(&first)), ["unique-subject-name"]);
    let revoke = r#"{"status":"revoked","reason":"superseded"}"#;
    let serial = text(&serial["certificate"]["id"]);
    world.change_status(serial, revoke).with_status(200);
    // The subject is free again, but a revoked key does not come back.
    assert_eq!(rules(&ask(&first)), ["unique-key"]);
}

fn csr(world: &World, name: &str) -> OpensslCsr {
    let host = format!("{name}.example");
    openssl_csr(
        world.dir(),
        name,
        KeyKind::P256,
        &format!("/CN={host}"),
        &[&format!("DNS:{host}")],
    )
}
