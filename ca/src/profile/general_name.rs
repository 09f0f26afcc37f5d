//! Names of all kinds that Dogtag's parameters can state (RFC 5280 §4.2.1.6).

use common::x509::name;
use der::Any;
use der::asn1::{Ia5String, OctetString, Utf8StringRef};
use x509_cert::ext::pkix::name::{DirectoryString, EdiPartyName, GeneralName, OtherName};

/// Makes the name of Dogtag's `kind` (`DNSName`, `RFC822Name` …) from text.
pub(super) fn read(kind: &str, text: &str) -> Result<GeneralName, String> {
    let wrong = |what: &str| format!("`{text}` is no {what}");
    let ascii = |what: &str| Ia5String::new(text).map_err(|_| wrong(what));
    Ok(match kind {
        "RFC822Name" => GeneralName::Rfc822Name(ascii("e-mail address")?),
        "DNSName" => GeneralName::DnsName(ascii("DNS name")?),
        "URIName" | "URI" => GeneralName::UniformResourceIdentifier(ascii("URI")?),
        "DirectoryName" => GeneralName::DirectoryName(name::parse(text)?),
        "IPAddress" | "IPAddressName" => GeneralName::IpAddress(address(text)?),
        "OIDName" | "RIDName" => {
            GeneralName::RegisteredId(text.parse().map_err(|_| wrong("object identifier"))?)
        }
        "EDIPartyName" => GeneralName::EdiPartyName(EdiPartyName {
            name_assigner: None,
            party_name: DirectoryString::Utf8String(text.to_owned()),
        }),
        "OtherName" | "AnyName" => GeneralName::OtherName(other(text)?),
        unknown => return Err(format!("{unknown} is no kind of name")),
    })
}

/// An address, or an address and a mask (`10.0.0.0,255.0.0.0` or `10.0.0.0/8`) for name constraints.
fn address(text: &str) -> Result<OctetString, String> {
    let wrong = || format!("`{text}` is no IP address");
    let octets = |text: &str| -> Result<Vec<u8>, String> {
        match text.parse().map_err(|_| wrong())? {
            std::net::IpAddr::V4(address) => Ok(address.octets().to_vec()),
            std::net::IpAddr::V6(address) => Ok(address.octets().to_vec()),
        }
    };
    let bytes = match (text.split_once(','), text.split_once('/')) {
        (Some((address, mask)), _) => [octets(address)?, octets(mask)?].concat(),
        (None, Some((address, length))) => {
            let address = octets(address)?;
            let length: usize = length.parse().map_err(|_| wrong())?;
            if length > address.len() * 8 {
                return Err(wrong());
            }
            let bit = |index: usize| u8::from(index < length);
            let mask = (0..address.len())
                .map(|byte| (0..8).fold(0, |octet, i| octet << 1 | bit(byte * 8 + i)));
            let mask: Vec<u8> = mask.collect();
            [address, mask].concat()
        }
        (None, None) => octets(text)?,
    };
    match bytes.len() {
        4 | 8 | 16 | 32 => OctetString::new(bytes).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// `(UTF8String)1.3.6.1.4.1.311.20.2.3,user@example` (also `;` between).
fn other(text: &str) -> Result<OtherName, String> {
    let wrong = || format!("`{text}` is not (UTF8String)OID,value");
    let rest = text.strip_prefix("(UTF8String)").unwrap_or(text);
    let (oid, value) = rest.split_once([',', ';']).ok_or_else(wrong)?;
    let value = Utf8StringRef::new(value).map_err(|_| wrong())?;
    Ok(OtherName {
        type_id: oid.trim().parse().map_err(|_| wrong())?,
        value: Any::from(value),
    })
}
