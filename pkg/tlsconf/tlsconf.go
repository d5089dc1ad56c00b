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
	"path/filepath"
)

// The files of a credentials folder.
const (
	CAFile       = "ca.crt"                // the authority that issues the brokers' certificates, in PEM
	KeystoreFile = "kafka.keystore.pkcs12" // the client's private key and certificate
)

// Load reads the credentials in dir and returns a configuration that presents them to every broker
// and accepts only brokers whose certificate was issued by dir's [CAFile]. The password is the one
// of the keystore (ssl.keystore.password).
//
// An error is one line that names the file and what mends it. It contains [ErrPassword] if the
// password is wrong and [io/fs.ErrNotExist] if a file is missing. A flaw that only a broker can judge,
// such as an expired certificate, is no error: warn is called with one line about it, and may be nil.
//
// A connection to a broker that is not accepted fails with a [*BrokerError].
func Load(dir, password string, warn func(message string)) (*tls.Config, error) {
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

		// Not Certificates: from those Go picks one that suits the authorities the broker lists, and
		// presents none if there is no such. The broker would then miss a certificate ("certificate
		// required") where it should say what is wrong with it ("unknown certificate authority").
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return client, nil
		},

		// ssl.endpoint.identification.algorithm=none: the brokers' certificates are of X.509 version 1
		// and have no host names to compare with. Go cannot leave out the name alone, so its whole
		// check is off and VerifyConnection does the rest of it. The price: whoever has a certificate
		// of this authority, a fellow student too, could pose as a broker.
		InsecureSkipVerify: true,

		// Not VerifyPeerCertificate, which is skipped when a session is resumed. None is resumed now,
		// for want of a ClientSessionCache: a client keeps its few connections as long as it runs.
		// But whoever adds one shall not lose the check.
		VerifyConnection: func(state tls.ConnectionState) error {
			return ca.verifyBroker(state.PeerCertificates)
		},
	}
}

// flaws returns what may make a broker refuse the client, or the client every broker.
func flaws(ca *authority, keystorePath string, chain []*x509.Certificate) []string {
	var list []string
	if fault := ca.outdated(); fault != "" {
		list = append(list, fault)
	}
	if fault := outdated(chain[0]); fault != "" {
		list = append(list, keystorePath+": its certificate "+fault)
	}
	// Allowed, as a broker may trust several authorities. But mostly two folders were mixed.
	if len(list) == 0 && isUnknown(ca.verify(chain, x509.ExtKeyUsageAny)) {
		list = append(list, keystorePath+": its certificate was not issued by "+ca.path+
			": if the brokers refuse it, take both files from one folder")
	}
	return list
}
