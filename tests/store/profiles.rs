//! Profiles on record, and what several instances make of them.

use ca::Error;
use ca::authority::Profiles;
use ca::profile::{Entry, Standing, Text};
use ca::store::profiles;

use super::{START, Store, at, on_both_engines, read, write};

on_both_engines!(
    a_text_comes_back_as_it_was_written,
    of_two_changes_from_one_version_the_first_counts,
    every_version_stays_on_record,
    a_deleted_profile_does_not_come_back_at_the_next_start,
    what_one_instance_stops_the_other_sees,
);

fn entry(toml: &str, standing: Standing, seconds: i64) -> Entry {
    let text = Text::from_toml(toml).expect("the text is sound");
    Entry::new(text, standing, at(seconds))
}

fn add(store: &Store, entry: &Entry) {
    let row = entry.clone();
    let added = write(&store.ca(), move |c| {
        profiles::insert(c, &row, "admin", START)
    });
    assert!(added);
}

const ODD: &str =
    "id = \"odd\"\nname = \"Zürich \\\"x\\\" %_'\\t\"\n\n[other]\nlastModified = \" 5 \"\n";

fn a_text_comes_back_as_it_was_written(store: &Store) {
    let stopped = Standing::Stopped {
        by: "admin".into(),
        note: Some("why".into()),
    };
    let odd = entry(ODD, stopped, 1);
    add(store, &odd);
    let found = read(&store.ca(), |c| profiles::find(c, "odd"));
    let found = found.expect("it is there");
    assert_eq!(found.text.to_toml(), odd.text.to_toml());
    assert_eq!(found.standing, odd.standing);
    assert_eq!(found.etag(), odd.etag());
    assert!(!write(&store.ca(), move |c| profiles::insert(
        c, &odd, "admin", START
    )));
}

fn of_two_changes_from_one_version_the_first_counts(store: &Store) {
    add(store, &entry(ODD, Standing::Disabled, 1));
    let change = |seconds: i64| {
        let changed = entry(ODD, Standing::Enabled, seconds);
        write(&store.ca(), move |c| {
            profiles::update(c, &changed, at(1), "agent1")
        })
    };
    assert!(change(2));
    assert!(!change(3));
    assert!(!write(&store.ca(), |c| profiles::delete(c, "odd", at(1))));
    assert!(write(&store.ca(), |c| profiles::delete(c, "odd", at(2))));
}

fn every_version_stays_on_record(store: &Store) {
    let first = entry(ODD, Standing::Disabled, 1);
    add(store, &first);
    let second = entry(&ODD.replace("Zürich", "Basel"), Standing::Disabled, 2);
    let (row, version) = (second.clone(), first.version.clone());
    assert!(write(&store.ca(), move |c| {
        profiles::update(c, &row, at(1), "admin")
    }));
    assert!(write(&store.ca(), |c| profiles::delete(c, "odd", at(2))));
    for entry in [&first, &second] {
        let id = entry.version.clone();
        let kept = read(&store.ca(), move |c| profiles::version(c, "odd", &id));
        assert_eq!(kept.map(|text| text.to_toml()), Some(entry.text.to_toml()));
    }
    let other = read(&store.ca(), move |c| profiles::version(c, "even", &version));
    assert!(other.is_none());
}

fn a_deleted_profile_does_not_come_back_at_the_next_start(store: &Store) {
    let open = || Profiles::open(store.ca(), START).expect("the database can be read");
    let shipped = open();
    let found = shipped.find("caUserCert").expect("it is shipped");
    let changed = found.changed;
    assert!(write(&store.ca(), move |c| {
        profiles::delete(c, "caUserCert", changed)
    }));
    assert!(open().find("caUserCert").is_none());
    assert_eq!(open().all().len(), shipped.all().len() - 1);
}

fn what_one_instance_stops_the_other_sees(store: &Store) {
    let open = || Profiles::open(store.ca(), START).expect("the database can be read");
    let (one, other) = (open(), open());
    let found = one.find("caServerCert").expect("it is shipped");
    let stopped = Entry::new(
        found.text.clone(),
        Standing::Stopped {
            by: "admin".into(),
            note: None,
        },
        at(5),
    );
    let before = found.changed;
    assert!(write(&store.ca(), move |c| {
        profiles::update(c, &stopped, before, "admin")
    }));
    let standing = |profiles: &Profiles| -> Result<&'static str, Error> {
        profiles.reload()?;
        let entry = profiles.find("caServerCert").expect("it is shipped");
        assert!(entry.enabled().is_none());
        Ok(entry.standing.name())
    };
    assert_eq!(
        standing(&other).expect("the database can be read"),
        "stopped"
    );
}
