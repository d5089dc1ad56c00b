package cluster

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tkafka/pkg/tlsconf"
)

// RenewIdentity makes each new connection use the keystore that the folder has then: a program that runs
// for days gets a new certificate when the old one has expired. Call it before the first client.
func (c *Cluster) RenewIdentity() {
	if c.TLS == nil {
		return
	}
	var mu sync.Mutex
	path := filepath.Join(c.settings.Folder, tlsconf.KeystoreFile)
	read, present := changedAt(path), c.TLS.GetClientCertificate
	c.TLS = c.TLS.Clone()
	c.TLS.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		if now := changedAt(path); !now.Equal(read) {
			// A keystore that is only half written fails, and counts at the next connection.
			if fresh, err := tlsconf.Load(c.settings.Folder, c.settings.Password, nil); err == nil {
				read, present = now, fresh.GetClientCertificate
			}
		}
		return present(request)
	}
}

// changedAt returns when the file was last written, or zero.
func changedAt(path string) time.Time {
	file, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return file.ModTime()
}
