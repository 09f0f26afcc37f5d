// Validates a certificate path as Java does: `java Validate.java CA LEAF [INTERMEDIATE...]`.
// The CA is the trust anchor, revocation is not asked for, and the intermediates follow the leaf
// in the order in which each is signed by the next.

import java.io.FileInputStream;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

public class Validate {
    public static void main(String[] files) {
        try {
            if (files.length < 2) {
                throw new IllegalArgumentException("needs CA LEAF [INTERMEDIATE...]");
            }
            List<X509Certificate> path = new ArrayList<>();
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            for (String file : files) {
                try (FileInputStream in = new FileInputStream(file)) {
                    path.add((X509Certificate) factory.generateCertificate(in));
                }
            }
            X509Certificate ca = path.remove(0);
            PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(ca, null)));
            parameters.setRevocationEnabled(false);
            CertPathValidator.getInstance("PKIX").validate(factory.generateCertPath(path), parameters);
            System.out.println("valid");
        } catch (Exception failure) {
            System.err.println(failure);
            System.exit(1);
        }
    }
}
