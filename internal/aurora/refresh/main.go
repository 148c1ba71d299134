// Command refresh makes internal/aurora/roots.pem.gz from files of certificates, such as AWS's global-bundle.pem
// (https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem): those that are still valid, each once.
//
//	go run ./internal/aurora/refresh FILE …
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

func main() {
	if err := refresh(os.Args[1:], "internal/aurora/roots.pem.gz"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func refresh(files []string, to string) error {
	if len(files) == 0 {
		return errors.New("give the files of certificates")
	}
	var live [][]byte
	expired := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			c, err := x509.ParseCertificate(block.Bytes)
			switch {
			case err != nil:
				return fmt.Errorf("%s: %w", file, err)
			case !c.IsCA || time.Now().After(c.NotAfter):
				expired++
			case !slices.ContainsFunc(live, func(der []byte) bool { return bytes.Equal(der, c.Raw) }):
				live = append(live, c.Raw)
			}
		}
	}
	slices.SortFunc(live, bytes.Compare)
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	for _, der := range live {
		if err := pem.Encode(z, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	fmt.Printf("%d certificates, %d left out, %d bytes\n", len(live), expired, packed.Len())
	return os.WriteFile(to, packed.Bytes(), 0o644)
}
