// Package tlsconf turns a folder of Kafka credentials into the client's side of mutual TLS.
//
// The folder holds two files. By [CAFile] the client checks the brokers, by [KeystoreFile] the brokers
// check the client: the name in its certificate is the user whose rights (ACLs) count.
// To a client in Java these are ssl.truststore.location, where the authority's certificate is in a
// keystore too, and ssl.keystore.location; to one built on librdkafka ssl.ca.location and
// ssl.keystore.location.
package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
)

// The files of a credentials folder.
const (
	CAFile       = "ca.crt"                // the authority that issues the brokers' certificates, in PEM or DER
	KeystoreFile = "kafka.keystore.pkcs12" // the client's private key and certificate
)

// Load reads the credentials in dir and returns a configuration that presents them to every broker
// and accepts only brokers whose certificate was issued by dir's [CAFile]. The password is the one
// of the keystore (ssl.keystore.password).
//
// An error is one line that names the file and the cause. Its method Hint() string returns what the
// user can do about it. It contains [ErrPassword] if the password is wrong and [io/fs.ErrNotExist]
// if a file is missing. Some flaws only a broker can judge, such as an expired certificate, and some
// help a thief, such as a keystore that other users may read. They are no errors: Load calls warn with
// each of them. Warn may be nil.
//
// A connection to a broker that the client does not accept fails with a [*BrokerError].
func Load(dir, password string, warn func(flaw error)) (*tls.Config, error) {
	ca, err := readAuthority(filepath.Join(dir, CAFile))
	if err != nil {
		return nil, err
	}
	keystorePath := filepath.Join(dir, KeystoreFile)
	client, err := readKeystore(keystorePath, password)
	if err != nil {
		return nil, err
	}
	if warn != nil {
		for _, flaw := range flaws(ca, keystorePath, client.chain) {
			warn(flaw)
		}
	}
	return config(ca, client.certificate()), nil
}

func config(ca *authority, client *tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,

		// Not Certificates: of those, Go presents only one that fits the authorities that the broker
		// lists. If none fits, the broker reports that the certificate is missing ("certificate
		// required"), and not what is wrong with it ("unknown certificate authority").
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return client, nil
		},

		// ssl.endpoint.identification.algorithm=none: the brokers' certificates are of X.509 version 1
		// and have no host names. Go cannot skip the name alone, so its whole check is off, and
		// VerifyConnection does the rest of it. The price: everybody with a certificate of this
		// authority, also another student, could pretend to be a broker.
		InsecureSkipVerify: true,

		// Not VerifyPeerCertificate: Go skips it when a session is resumed. Without a
		// ClientSessionCache none is resumed, but if somebody adds one, the check must stay.
		VerifyConnection: func(state tls.ConnectionState) error {
			return ca.verifyBroker(state.PeerCertificates)
		},
	}
}

// flaws returns why a broker may refuse the client, or the client every broker, and where a private
// key is not secret.
func flaws(ca *authority, keystorePath string, chain []*x509.Certificate) (list []error) {
	if fault := ca.outdated(); fault != nil {
		list = append(list, fault)
	}
	if fault := outdated(keystorePath, chain[0]); fault != nil {
		list = append(list, fault)
	}
	// This is allowed: a broker may trust several authorities. But usually somebody mixed two folders.
	if len(list) == 0 && isUnknown(ca.verify(chain, x509.ExtKeyUsageAny)) {
		list = append(list, hint(fmt.Errorf("%s: its certificate was not issued by %s", keystorePath, ca.path),
			"if the brokers refuse it, copy both files from one folder"))
	}
	if ca.hasKey {
		list = append(list, hint(fmt.Errorf("%s: a private key is in it", ca.path),
			"report this to the staff: with the authority's key, anybody can sign certificates"))
	}
	if mode, exposed := Exposed(keystorePath); exposed {
		list = append(list, hint(fmt.Errorf("%s: its mode %04o lets other users read your private key", keystorePath, mode),
			"chmod 600 "+quote(keystorePath)))
	}
	return list
}
