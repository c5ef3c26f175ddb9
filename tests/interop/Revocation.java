import java.io.FileInputStream;
import java.io.InputStream;
import java.security.cert.CRL;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Validates a chain with Java's PKIX checker and one source of revocation only: `ocsp`, `crl` (as the certificates' URLs
 * give it), or `files=FILE,FILE`, which are CRLs, for the first certificate of the chain alone.
 */
public class Revocation {
    public static void main(String[] arguments) throws Exception {
        String source = arguments[0];
        boolean files = source.startsWith("files=");
        System.setProperty("com.sun.security.enableCRLDP", files ? "false" : "true");
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<X509Certificate> chain = new ArrayList<>();
        for (int index = 2; index < arguments.length; index++) {
            chain.add(read(factory, arguments[index]));
        }
        CertPath path = factory.generateCertPath(chain);

        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
        EnumSet<PKIXRevocationChecker.Option> options = EnumSet.of(PKIXRevocationChecker.Option.NO_FALLBACK);
        if (files || source.equals("crl")) {
            options.add(PKIXRevocationChecker.Option.PREFER_CRLS);
        }
        if (files) {
            options.add(PKIXRevocationChecker.Option.ONLY_END_ENTITY);
        }
        checker.setOptions(options);
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(read(factory, arguments[1]), null)));
        parameters.addCertPathChecker(checker);
        if (files) {
            List<CRL> crls = new ArrayList<>();
            for (String file : source.substring("files=".length()).split(",")) {
                try (InputStream in = new FileInputStream(file)) {
                    crls.add(factory.generateCRL(in));
                }
            }
            parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(crls)));
        }
        try {
            validator.validate(path, parameters);
            System.out.println("GOOD");
        } catch (CertPathValidatorException refused) {
            System.out.println(refused.getReason() + " at " + refused.getIndex() + ": " + refused.getMessage());
            System.exit(1);
        }
    }

    private static X509Certificate read(CertificateFactory factory, String file) throws Exception {
        try (InputStream in = new FileInputStream(file)) {
            return (X509Certificate) factory.generateCertificate(in);
        }
    }
}
