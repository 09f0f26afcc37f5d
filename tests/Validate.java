// Validates a certificate path as Java does: `java Validate.java [crl=FILE...] [at=TIME] CA LEAF
// [INTERMEDIATE...]`. The CA is the trust anchor, and the intermediates follow the leaf in the order
// in which each is signed by the next. With CRLs, revocation is checked by them alone.

import java.io.FileInputStream;
import java.security.cert.CRL;
import java.security.cert.CertPathValidator;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Set;

public class Validate {
    public static void main(String[] files) {
        try {
            List<X509Certificate> path = new ArrayList<>();
            List<CRL> crls = new ArrayList<>();
            Date at = null;
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            for (String file : files) {
                if (file.startsWith("at=")) {
                    at = Date.from(Instant.parse(file.substring(3)));
                    continue;
                }
                if (file.startsWith("crl=")) {
                    try (FileInputStream in = new FileInputStream(file.substring(4))) {
                        crls.add(factory.generateCRL(in));
                    }
                    continue;
                }
                try (FileInputStream in = new FileInputStream(file)) {
                    path.add((X509Certificate) factory.generateCertificate(in));
                }
            }
            if (path.size() < 2) {
                throw new IllegalArgumentException("needs CA LEAF [INTERMEDIATE...]");
            }
            X509Certificate ca = path.remove(0);
            PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(ca, null)));
            parameters.setRevocationEnabled(!crls.isEmpty());
            parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(crls)));
            parameters.setDate(at);
            CertPathValidator.getInstance("PKIX").validate(factory.generateCertPath(path), parameters);
            System.out.println("valid");
        } catch (Exception failure) {
            System.err.println(failure);
            System.exit(1);
        }
    }
}
