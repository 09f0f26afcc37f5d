//! Files that commands read and write; `-` stands for standard input or output.

use std::io::{self, Read};
use std::path::Path;

use common::x509::certificate::chain_from_pem;
use common::x509::{Certificate, der_from};

use crate::error::Error;
use crate::output;

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let read = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|why| failed(path, why))
}

/// Reads a file of text.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    String::from_utf8(read(path)?).map_err(|_| content(path, "this is not text"))
}

/// Writes a file.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if path == Path::new("-") {
        return output::print(bytes);
    }
    std::fs::write(path, bytes).map_err(|why| failed(path, why))
}

/// Reads one or more certificates, PEM or DER.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate>, Error> {
    let bytes = read(path)?;
    let found = match std::str::from_utf8(&bytes) {
        Ok(text) if text.contains("-----BEGIN ") => chain_from_pem(text),
        Ok(_) | Err(_) => der_from(&bytes, &[]).map_or(Ok(Vec::new()), |der| {
            Certificate::from_der(&der).map(|certificate| vec![certificate])
        }),
    };
    match found {
        Ok(found) if found.is_empty() => Err(content(path, "there is no certificate in it")),
        Ok(found) => Ok(found),
        Err(why) => Err(content(
            path,
            &format!("the certificate cannot be read: {why}"),
        )),
    }
}

/// The error for a file that holds something else than it should.
pub(crate) fn content(path: &Path, what: &str) -> Error {
    Error::Content {
        path: path.display().to_string(),
        what: what.to_owned(),
    }
}

fn failed(path: &Path, why: io::Error) -> Error {
    Error::File {
        path: path.display().to_string(),
        why,
    }
}
