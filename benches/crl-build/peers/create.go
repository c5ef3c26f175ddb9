// Prints the milliseconds that x509.CreateRevocationList takes, the median of three.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"os"
	"sort"
	"strings"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	file, err := os.Open(os.Args[1])
	check(err)
	var entries []pkix.RevokedCertificate
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var hexadecimal string
		var seconds, reason int64
		_, err := fmt.Sscan(strings.TrimSpace(lines.Text()), &hexadecimal, &seconds, &reason)
		check(err)
		serial, _ := new(big.Int).SetString(hexadecimal, 16)
		entry := pkix.RevokedCertificate{SerialNumber: serial, RevocationTime: time.Unix(seconds, 0).UTC()}
		if reason != 0 {
			value, err := asn1.Marshal(asn1.Enumerated(reason))
			check(err)
			entry.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 21}, Value: value}}
		}
		entries = append(entries, entry)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	issuer := &x509.Certificate{
		RawSubject:   []byte{0x30, 0},
		SubjectKeyId: make([]byte, 20),
		KeyUsage:     x509.KeyUsageCRLSign,
	}
	var times []float64
	for round := int64(1); round <= 3; round++ {
		template := &x509.RevocationList{
			SignatureAlgorithm:  x509.ECDSAWithSHA256,
			RevokedCertificates: entries,
			Number:              big.NewInt(round),
			ThisUpdate:          time.Now(),
			NextUpdate:          time.Now().Add(time.Hour),
		}
		begun := time.Now()
		_, err := x509.CreateRevocationList(rand.Reader, template, issuer, key)
		check(err)
		times = append(times, time.Since(begun).Seconds()*1000)
	}
	sort.Float64s(times)
	fmt.Printf("%.3f\n", times[1])
}
