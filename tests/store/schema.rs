//! The two schemas of each service are one, and diesel knows it as it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::db::{Database, Error, Location};

use super::{Store, read, texts};

/// A column, the same for both engines and for diesel when all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// `text`, `blob`, `bigint` or `smallint`.
    pub(super) kind: &'static str,
    nullable: bool,
    /// Its place in the primary key, from 1; 0 outside.
    key: usize,
}

/// Tables by name, their columns in the order of their declaration.
pub(super) type Tables = BTreeMap<String, Vec<Column>>;

type Open = fn(&Location) -> Result<Database, Error>;

/// Every service with the way to open its database.
const SERVICES: [(&str, Open); 3] = [
    ("ca", ca::store::open),
    ("kra", kra::store::open),
    ("ocsp", ocsp::store::open),
];

#[test]
fn both_engines_have_the_same_tables_indexes_and_references() {
    for (service, open) in SERVICES {
        let (sqlite, postgres) = (Store::sqlite(), Store::postgres());
        let sqlite = open(&sqlite.location).expect("SQLite opens");
        let postgres = open(&postgres.location).expect("PostgreSQL opens");
        assert_eq!(tables(&sqlite), tables(&postgres), "tables of {service}");
        assert_eq!(indexes(&sqlite), indexes(&postgres), "indexes of {service}");
        let references = references(&sqlite);
        assert_eq!(
            references,
            self::references(&postgres),
            "references of {service}"
        );
        assert!(!references.is_empty());
    }
}

#[test]
fn diesel_knows_every_table_as_it_is() {
    for (service, open) in SERVICES {
        let store = Store::sqlite();
        let database = open(&store.location).expect("SQLite opens");
        let mut declared = declared(Path::new("common/src/db/schema.rs"));
        declared.extend(self::declared(
            &Path::new(service).join("src/store/schema.rs"),
        ));
        assert_eq!(declared, tables(&database), "tables of {service}");
    }
}

/// The tables of a database, without diesel's own.
pub(super) fn tables(database: &Database) -> Tables {
    let sql = match database.is_shared() {
        false => {
            "SELECT m.name || '|' || x.name || '|' || lower(x.type) || '|' || \
                (x.\"notnull\" = 0 AND x.pk = 0) || '|' || x.pk AS text \
             FROM sqlite_master m JOIN pragma_table_xinfo(m.name) x \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, x.cid"
        }
        true => {
            "SELECT c.table_name || '|' || c.column_name || '|' || c.data_type || '|' || \
                CASE c.is_nullable WHEN 'YES' THEN 1 ELSE 0 END || '|' || \
                COALESCE(k.ordinal_position, 0) AS text \
             FROM information_schema.columns c \
             LEFT JOIN information_schema.table_constraints t \
               ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
               AND t.constraint_type = 'PRIMARY KEY' \
             LEFT JOIN information_schema.key_column_usage k \
               ON k.constraint_schema = t.constraint_schema \
               AND k.constraint_name = t.constraint_name \
               AND k.table_name = c.table_name AND k.column_name = c.column_name \
             WHERE c.table_schema = 'public' ORDER BY c.table_name, c.ordinal_position"
        }
    };
    let mut tables = Tables::new();
    for line in read(database, |c| texts(c, sql)) {
        let fields: Vec<&str> = line.split('|').collect();
        let [table, name, kind, nullable, key] = fields[..] else {
            panic!("{line}: not five fields");
        };
        if table == "__diesel_schema_migrations" {
            continue;
        }
        let columns = tables.entry(table.to_owned()).or_default();
        columns.push(Column {
            name: name.into(),
            kind: kind_of(kind),
            nullable: nullable == "1",
            key: key.parse().expect("a number"),
        });
    }
    tables
}

/// One word for the same type in SQLite, PostgreSQL and diesel.
fn kind_of(kind: &str) -> &'static str {
    match kind.trim_end_matches(" generated always") {
        "text" | "Text" => "text",
        "blob" | "bytea" | "Binary" => "blob",
        // SQLite keeps 64 bits in its rowid, which has to be called INTEGER.
        "bigint" | "integer" | "BigInt" => "bigint",
        "smallint" | "SmallInt" => "smallint",
        other => panic!("{other}: a type that no test knows"),
    }
}

/// The indexes that the migrations name, in the words of their creation.
fn indexes(database: &Database) -> Vec<String> {
    let sql = match database.is_shared() {
        false => {
            "SELECT sql AS text FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL \
             ORDER BY name"
        }
        true => {
            "SELECT indexdef AS text FROM pg_indexes \
             WHERE schemaname = 'public' AND indexname NOT LIKE '%_pkey' ORDER BY indexname"
        }
    };
    let indexes = read(database, |c| texts(c, sql));
    indexes
        .into_iter()
        .map(|index| {
            index
                .replace("USING btree ", "")
                .replace("public.", "")
                .replace("public.", "")
                .replace(['(', ')', '"'], "")
        })
        .collect()
}

/// The foreign keys: `table.column → table.column`.
fn references(database: &Database) -> Vec<String> {
    let sql = match database.is_shared() {
        false => {
            "SELECT m.name || '.' || f.\"from\" || ' → ' || f.\"table\" || '.' || f.\"to\" AS text \
             FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f \
             WHERE m.type = 'table' ORDER BY 1"
        }
        true => {
            "SELECT k.table_name || '.' || k.column_name || ' → ' || \
                u.table_name || '.' || u.column_name AS text \
             FROM information_schema.referential_constraints r \
             JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name) \
             JOIN information_schema.constraint_column_usage u \
               USING (constraint_schema, constraint_name) ORDER BY 1"
        }
    };
    read(database, |c| texts(c, sql))
}

/// The tables that a file declares to diesel; none when there is no such file.
fn declared(file: &Path) -> Tables {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = fs::read_to_string(root.join(file)).unwrap_or_default();
    let mut tables = Tables::new();
    for declaration in source.split("diesel::table! {").skip(1) {
        let mut lines = declaration.lines().map(str::trim);
        let head = lines.find(|line| !line.is_empty()).expect("a name");
        let (table, key) = head.split_once('(').expect("a primary key");
        let key = key.trim_end_matches(") {");
        let columns = lines
            .take_while(|line| *line != "}")
            .map(|line| column(line, key));
        tables.insert(table.trim().to_owned(), columns.collect());
    }
    tables
}

/// A line such as `serial -> Nullable<Binary>,` of a table with this primary key.
fn column(line: &str, key: &str) -> Column {
    let (name, kind) = line
        .trim_end_matches(',')
        .split_once(" -> ")
        .expect("a column");
    let inner = kind
        .strip_prefix("Nullable<")
        .and_then(|kind| kind.strip_suffix('>'));
    let place = key.split(", ").position(|column| column == name);
    Column {
        name: name.into(),
        kind: kind_of(inner.unwrap_or(kind)),
        nullable: inner.is_some(),
        key: place.map_or(0, |place| place + 1),
    }
}
