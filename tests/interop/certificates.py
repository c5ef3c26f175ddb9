"""What two other readers make of certificates: the one of Python's cryptography (Rust), and OpenSSL's (through ssl).

Reads the DER of certificates in hex, one a line. Writes a line for each: what the first says, a tab, what the second says;
where one refuses it, "refused" and why. signer-link/signer/tests/differential.rs has the other side.
"""

import ipaddress
import ssl
import sys
import tempfile
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def joined(fields):
    return ",".join(fields) or "-"


def alternative_name(name):
    if isinstance(name, x509.DNSName):
        return "dns=" + name.value
    if isinstance(name, x509.RFC822Name):
        return "email=" + name.value
    if isinstance(name, x509.IPAddress):
        return "ip=" + name.value.packed.hex()
    raise ValueError(f"a name of another kind: {name!r}")


def values(name):
    """The attributes of a Name, without their types."""
    return [attribute.value for attribute in name]


def by_cryptography(der):
    certificate = x509.load_der_x509_certificate(der)
    names = []
    extensions = []
    for extension in certificate.extensions:
        value = extension.value
        extensions.append(f"{extension.oid.dotted_string}:{int(extension.critical)}:{value.public_bytes().hex()}")
        if isinstance(value, x509.SubjectAlternativeName):
            names = [alternative_name(name) for name in value]
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = " ".join([
        f"{certificate.serial_number:x}",
        certificate.issuer.public_bytes().hex(),
        certificate.subject.public_bytes().hex(),
        str(int(certificate.not_valid_before_utc.timestamp())),
        str(int(certificate.not_valid_after_utc.timestamp())),
        key.hex(),
        joined(extensions),
        joined(names),
        certificate.tbs_certificate_bytes.hex(),
    ])
    return text, certificate


def openssl_name(kind, value):
    if kind == "IP Address":
        return "ip=" + ipaddress.ip_address(value.strip()).packed.hex()
    return {"DNS": "dns=", "email": "email="}[kind] + value


def by_openssl(der, file):
    file.write_text(ssl.DER_cert_to_PEM_cert(der))
    # The only way to OpenSSL's reader that takes many certificates in one process.
    found = ssl._ssl._test_decode_cert(str(file))
    names = [openssl_name(*name) for name in found.get("subjectAltName", ())]
    text = " ".join([
        f"{int(found['serialNumber'], 16):x}",
        str(ssl.cert_time_to_seconds(found["notBefore"])),
        str(ssl.cert_time_to_seconds(found["notAfter"])),
        joined(names),
    ])
    return text, found


def refused(error):
    reason = " ".join(str(error).split())
    return f"refused {type(error).__name__}: {reason}"


def main():
    # It warns of much that it reads all the same.
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "certificate.pem"
        for line in sys.stdin:
            der = bytes.fromhex(line)
            first = second = certificate = None
            try:
                first, certificate = by_cryptography(der)
            except Exception as error:  # whatever it is: it was not read
                first = refused(error)
            try:
                second, found = by_openssl(der, file)
                if certificate is not None:
                    for field in ("issuer", "subject"):
                        other = [value for relative in found[field] for _, value in relative]
                        if other != values(getattr(certificate, field)):
                            second = f"{second} (another {field}: {other})"
            except Exception as error:
                second = refused(error)
            print(f"{first}\t{second}")


main()
