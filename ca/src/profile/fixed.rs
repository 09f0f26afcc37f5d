//! Extensions that a profile states in full: the same in every certificate.

use common::clock::Timestamp;
use common::x509::{self, extension, tlv};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_INHIBIT_ANY_POLICY, ID_CE_SUBJECT_DIRECTORY_ATTRIBUTES, ID_QT_CPS, ID_QT_UNOTICE,
};
use const_oid::db::rfc6960::ID_PKIX_OCSP_NOCHECK;
use der::asn1::{Ia5StringRef, Utf8StringRef};
use der::{Any, Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::certpolicy::{
    CertificatePolicies, PolicyInformation, PolicyQualifierInfo,
};
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::crl::dp::{ReasonFlags, Reasons};
use x509_cert::ext::pkix::{
    BasicConstraints, ExtendedKeyUsage, NameConstraints, PolicyConstraints, PolicyMapping,
    PolicyMappings, PrivateKeyUsagePeriod,
};

use super::general_name;
use super::text::Plugin;

/// Netscape's certificate type and comment.
const NETSCAPE_CERT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113730.1.1");
const NETSCAPE_COMMENT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113730.1.13");

/// Parameters of Netscape's certificate type in the order of the bits; bit 4 is reserved.
pub(super) const NETSCAPE_TYPES: [(&str, u8); 7] = [
    ("nsCertSSLClient", 0x80),
    ("nsCertSSLServer", 0x40),
    ("nsCertEmail", 0x20),
    ("nsCertObjectSigning", 0x10),
    ("nsCertSSLCA", 0x04),
    ("nsCertEmailCA", 0x02),
    ("nsCertObjectSigningCA", 0x01),
];

/// The extension that the class states, `None` for a class of another kind.
pub(super) fn extension(plugin: &Plugin) -> Result<Option<Extension>, String> {
    let made = match plugin.class.as_str() {
        "extendedKeyUsageExtDefaultImpl" => {
            let value = ExtendedKeyUsage(usages(plugin)?);
            extension::new(plugin.flag("exKeyUsageCritical")?, &value)
        }
        "basicConstraintsExtDefaultImpl" => basic_constraints(plugin)?,
        "ocspNoCheckExtDefaultImpl" => {
            let critical = plugin.flag("ocspNoCheckCritical")?;
            extension::raw(ID_PKIX_OCSP_NOCHECK, critical, vec![0x05, 0x00])
        }
        "certificatePoliciesExtDefaultImpl" => {
            let value = CertificatePolicies(policies(plugin)?);
            extension::new(plugin.flag("Critical")?, &value)
        }
        "policyConstraintsExtDefaultImpl" => policy_constraints(plugin)?,
        "policyMappingsExtDefaultImpl" => policy_mappings(plugin)?,
        "inhibitAnyPolicyExtDefaultImpl" => {
            let skip: u32 = plugin.number("skipCerts", 0)?;
            let critical = plugin.flag_or("critical", true)?;
            skip.to_der()
                .and_then(|value| extension::raw(ID_CE_INHIBIT_ANY_POLICY, critical, value))
        }
        "nameConstraintsExtDefaultImpl" => name_constraints(plugin)?,
        "genericExtDefaultImpl" => generic(plugin)?,
        "nsCertTypeExtDefaultImpl" => netscape_type(plugin)?,
        "nscCommentExtDefaultImpl" => {
            let comment = plugin.text("nscCommentContent")?;
            let critical = plugin.flag("nscCommentCritical")?;
            let text = Ia5StringRef::new(comment).map_err(|_| "nscCommentContent is ASCII")?;
            text.to_der()
                .and_then(|value| extension::raw(NETSCAPE_COMMENT, critical, value))
        }
        _ => return Ok(None),
    };
    made.map(Some).map_err(|e| format!("{}: {e}", plugin.class))
}

/// `exKeyUsageOIDs`, by name or dotted.
pub(super) fn usages(plugin: &Plugin) -> Result<Vec<ObjectIdentifier>, String> {
    let text = plugin.text("exKeyUsageOIDs")?;
    let usage = |name: &str| {
        extension::usage_oid(name.trim())
            .ok_or_else(|| format!("`{name}` is no extended key usage"))
    };
    text.split(',').map(usage).collect()
}

fn basic_constraints(plugin: &Plugin) -> Result<der::Result<Extension>, String> {
    let length: i16 = plugin.number("basicConstraintsPathLen", -1)?;
    let ca = plugin.flag("basicConstraintsIsCA")?;
    let value = BasicConstraints {
        ca,
        // Only a CA has a path below it (RFC 5280 §4.2.1.9).
        path_len_constraint: u8::try_from(length).ok().filter(|_| ca),
    };
    let critical = plugin.flag("basicConstraintsCritical")?;
    Ok(extension::new(critical, &value))
}

/// RFC 5280 §4.2.1.4.
fn policies(plugin: &Plugin) -> Result<Vec<PolicyInformation>, String> {
    let count: usize = plugin.number("PoliciesExt.num", 1)?;
    let mut policies = Vec::new();
    for slot in 0..count.min(100) {
        let stem = format!("PoliciesExt.certPolicy{slot}");
        if !plugin.flag(&format!("{stem}.enable"))? {
            continue;
        }
        let qualifiers = qualifiers(plugin, &stem)?;
        policies.push(PolicyInformation {
            policy_identifier: plugin.oid(&format!("{stem}.policyId"))?,
            policy_qualifiers: (!qualifiers.is_empty()).then_some(qualifiers),
        });
    }
    match policies.is_empty() {
        true => Err(format!("{}: no policy is enabled", plugin.class)),
        false => Ok(policies),
    }
}

fn qualifiers(plugin: &Plugin, stem: &str) -> Result<Vec<PolicyQualifierInfo>, String> {
    let count: usize = plugin.number(&format!("{stem}.PolicyQualifiers.num"), 0)?;
    let mut qualifiers = Vec::new();
    for slot in 0..count.min(100) {
        let name = |rest: &str| format!("{stem}.PolicyQualifiers{slot}.{rest}");
        if plugin.flag(&name("CPSURI.enable"))? {
            let url = plugin.text(&name("CPSURI.value"))?;
            let url = Ia5StringRef::new(url).map_err(|_| "a CPS URI is ASCII")?;
            qualifiers.push(PolicyQualifierInfo {
                policy_qualifier_id: ID_QT_CPS,
                qualifier: Some(Any::from(url)),
            });
        }
        if plugin.flag(&name("usernotice.enable"))? {
            let notice = user_notice(plugin, &name)?;
            qualifiers.push(PolicyQualifierInfo {
                policy_qualifier_id: ID_QT_UNOTICE,
                qualifier: Some(Any::from_der(&notice).map_err(|e| e.to_string())?),
            });
        }
    }
    Ok(qualifiers)
}

/// UserNotice, with texts as UTF8String as RFC 5280 §4.2.1.4 asks for.
fn user_notice(plugin: &Plugin, name: &impl Fn(&str) -> String) -> Result<Vec<u8>, String> {
    let text = |value: &str| -> Result<Vec<u8>, String> {
        if value.chars().count() > 200 {
            return Err("the text of a user notice has at most 200 characters".into());
        }
        let text = Utf8StringRef::new(value).map_err(|e| e.to_string())?;
        text.to_der().map_err(|e| e.to_string())
    };
    let mut content = Vec::new();
    if let Some(organization) = plugin.filled(&name("usernotice.noticeReference.organization")) {
        let mut numbers = Vec::new();
        let listed = plugin.filled(&name("usernotice.noticeReference.noticeNumbers"));
        for number in listed.unwrap_or_default().split([',', ';']) {
            if let Some(number) = Some(number.trim()).filter(|number| !number.is_empty()) {
                let number: u32 = number.parse().map_err(|_| "noticeNumbers are numbers")?;
                numbers.extend(number.to_der().map_err(|e| e.to_string())?);
            }
        }
        let mut reference = text(organization)?;
        tlv::push(&mut reference, 0x30, &numbers);
        tlv::push(&mut content, 0x30, &reference);
    }
    if let Some(explicit) = plugin.filled(&name("usernotice.explicitText.value")) {
        content.extend(text(explicit)?);
    }
    let mut notice = Vec::new();
    tlv::push(&mut notice, 0x30, &content);
    Ok(notice)
}

fn policy_constraints(plugin: &Plugin) -> Result<der::Result<Extension>, String> {
    let depth = |name: &str| -> Result<Option<u32>, String> {
        Ok(u32::try_from(plugin.number::<i64>(name, -1)?).ok())
    };
    let value = PolicyConstraints {
        require_explicit_policy: depth("policyConstraintsReqExplicitPolicy")?,
        inhibit_policy_mapping: depth("policyConstraintsInhibitPolicyMapping")?,
    };
    if value.require_explicit_policy.is_none() && value.inhibit_policy_mapping.is_none() {
        return Err(format!("{}: neither constraint is stated", plugin.class));
    }
    let critical = plugin.flag_or("policyConstraintsCritical", true)?;
    Ok(extension::new(critical, &value))
}

fn policy_mappings(plugin: &Plugin) -> Result<der::Result<Extension>, String> {
    let slots = plugin.slots(
        "policyMappingsNum",
        "policyMappingsEnable_",
        "policyMappingsIssuerDomainPolicy_",
    )?;
    let mut mappings = Vec::new();
    for slot in slots {
        mappings.push(PolicyMapping {
            issuer_domain_policy: plugin
                .oid(&format!("policyMappingsIssuerDomainPolicy_{slot}"))?,
            subject_domain_policy: plugin
                .oid(&format!("policyMappingsSubjectDomainPolicy_{slot}"))?,
        });
    }
    if mappings.is_empty() {
        return Err(format!("{}: no mapping is enabled", plugin.class));
    }
    let critical = plugin.flag_or("policyMappingsCritical", true)?;
    Ok(extension::new(critical, &PolicyMappings(mappings)))
}

/// RFC 5280 §4.2.1.10: minimum is zero and maximum is absent.
fn name_constraints(plugin: &Plugin) -> Result<der::Result<Extension>, String> {
    let subtrees = |word: &str| -> Result<Option<Vec<GeneralSubtree>>, String> {
        let name = |suffix: &str| format!("nameConstraints{word}Subtree{suffix}_");
        let count = format!("nameConstraintsNum{word}Subtrees");
        let mut subtrees = Vec::new();
        for slot in plugin.slots(&count, &name("Enable"), &name("NameValue"))? {
            let kind = plugin.slot(&name("NameChoice"), slot);
            let value = plugin.slot(&name("NameValue"), slot);
            let bounds = [
                plugin.slot(&name("MinValue"), slot),
                plugin.slot(&name("MaxValue"), slot),
            ];
            if !matches!(bounds, ["" | "0", "" | "-1"]) {
                return Err("the minimum of a subtree is 0 and there is no maximum".into());
            }
            subtrees.push(GeneralSubtree {
                base: general_name::read(kind, value)?,
                minimum: 0,
                maximum: None,
            });
        }
        Ok((!subtrees.is_empty()).then_some(subtrees))
    };
    let value = NameConstraints {
        permitted_subtrees: subtrees("Permitted")?,
        excluded_subtrees: subtrees("Excluded")?,
    };
    if value.permitted_subtrees.is_none() && value.excluded_subtrees.is_none() {
        return Err(format!("{}: no subtree is enabled", plugin.class));
    }
    let critical = plugin.flag_or("nameConstraintsCritical", true)?;
    Ok(extension::new(critical, &value))
}

fn generic(plugin: &Plugin) -> Result<der::Result<Extension>, String> {
    let digits: String = plugin
        .text("genericExtData")?
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .collect();
    let value = x509::from_hex(&digits).ok_or("genericExtData is hexadecimal")?;
    if Any::from_der(&value).is_err() {
        return Err("genericExtData is no DER".into());
    }
    let critical = plugin.flag("genericExtCritical")?;
    Ok(extension::raw(
        plugin.oid("genericExtOID")?,
        critical,
        value,
    ))
}

fn netscape_type(plugin: &Plugin) -> Result<der::Result<Extension>, String> {
    let mut bits = 0u8;
    for (name, bit) in NETSCAPE_TYPES {
        if plugin.flag(name)? {
            bits |= bit;
        }
    }
    if bits == 0 {
        return Err(format!("{}: no type is stated", plugin.class));
    }
    let unused = u8::try_from(bits.trailing_zeros()).unwrap_or_default();
    let value = vec![0x03, 0x02, unused, bits];
    let critical = plugin.flag("nsCertCritical")?;
    Ok(extension::raw(NETSCAPE_CERT_TYPE, critical, value))
}

/// Netscape's certificate type of a draft.
pub(super) fn netscape_bits(extensions: &[Extension]) -> Option<(bool, u8)> {
    let found = extensions
        .iter()
        .find(|e| e.extn_id == NETSCAPE_CERT_TYPE)?;
    let bits = found.extn_value.as_bytes().get(3).copied();
    Some((found.critical, bits.unwrap_or_default()))
}

/// Reason flags by RFC 5280's names, comma-separated; empty for all.
pub(super) fn reasons(text: &str) -> Result<Option<ReasonFlags>, String> {
    let known = [
        ("unused", Reasons::Unused),
        ("keyCompromise", Reasons::KeyCompromise),
        ("cACompromise", Reasons::CaCompromise),
        ("affiliationChanged", Reasons::AffiliationChanged),
        ("superseded", Reasons::Superseded),
        ("cessationOfOperation", Reasons::CessationOfOperation),
        ("certificateHold", Reasons::CertificateHold),
        ("privilegeWithdrawn", Reasons::PrivilegeWithdrawn),
        ("aACompromise", Reasons::AaCompromise),
    ];
    if text.trim().is_empty() {
        return Ok(None);
    }
    let mut flags = ReasonFlags::default();
    for word in text.split(',').map(str::trim) {
        let found = known
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word));
        let (_, reason) = found.ok_or_else(|| format!("`{word}` is no reason"))?;
        flags |= *reason;
    }
    Ok(Some(flags))
}

/// RFC 3280 §4.2.1.4; RFC 5280 has dropped the extension.
pub(super) fn private_key_usage_period(
    critical: bool,
    begin: Timestamp,
    end: Timestamp,
) -> Result<Extension, String> {
    let value = PrivateKeyUsagePeriod {
        not_before: Some(x509::generalized_time(begin)),
        not_after: Some(x509::generalized_time(end)),
    };
    extension::new(critical, &value).map_err(|e| e.to_string())
}

/// RFC 5280 §4.2.1.8; `None` without attributes.
pub(super) fn subject_directory_attributes(
    critical: bool,
    attributes: &[(ObjectIdentifier, String)],
) -> Result<Option<Extension>, String> {
    let wrong = |e: der::Error| e.to_string();
    let mut content = Vec::new();
    for (oid, value) in attributes {
        let text = Utf8StringRef::new(value).and_then(|text| text.to_der());
        let mut attribute = oid.to_der().map_err(wrong)?;
        tlv::push(&mut attribute, 0x31, &text.map_err(wrong)?);
        tlv::push(&mut content, 0x30, &attribute);
    }
    if content.is_empty() {
        return Ok(None);
    }
    let mut value = Vec::new();
    tlv::push(&mut value, 0x30, &content);
    let made = extension::raw(ID_CE_SUBJECT_DIRECTORY_ATTRIBUTES, critical, value);
    made.map(Some).map_err(wrong)
}
