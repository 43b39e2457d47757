package certrequest

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The bits of a key usage (RFC 5280 section 4.2.1.3), by the names that the tls provider has.
var keyUsages = map[string]int{
	"digital_signature": 0, "content_commitment": 1, "key_encipherment": 2, "data_encipherment": 3, "key_agreement": 4,
	"cert_signing": 5, "crl_signing": 6, "encipher_only": 7, "decipher_only": 8,
}

var (
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// Extended key usages: of RFC 5280 section 4.2.1.12, RFC 4945, and those that Microsoft and
// Netscape have made up.
var extendedKeyUsages = map[string]asn1.ObjectIdentifier{
	"any_extended":     {2, 5, 29, 37, 0},
	"server_auth":      {1, 3, 6, 1, 5, 5, 7, 3, 1},
	"client_auth":      {1, 3, 6, 1, 5, 5, 7, 3, 2},
	"code_signing":     {1, 3, 6, 1, 5, 5, 7, 3, 3},
	"email_protection": {1, 3, 6, 1, 5, 5, 7, 3, 4},
	"ipsec_end_system": {1, 3, 6, 1, 5, 5, 7, 3, 5},
	"ipsec_tunnel":     {1, 3, 6, 1, 5, 5, 7, 3, 6},
	"ipsec_user":       {1, 3, 6, 1, 5, 5, 7, 3, 7},
	"timestamping":     {1, 3, 6, 1, 5, 5, 7, 3, 8},
	"ocsp_signing":     {1, 3, 6, 1, 5, 5, 7, 3, 9},

	"microsoft_commercial_code_signing": {1, 3, 6, 1, 4, 1, 311, 2, 1, 22},
	"microsoft_kernel_code_signing":     {1, 3, 6, 1, 4, 1, 311, 61, 1, 1},
	"microsoft_server_gated_crypto":     {1, 3, 6, 1, 4, 1, 311, 10, 3, 3},
	"netscape_server_gated_crypto":      {2, 16, 840, 1, 113730, 4, 1},
}

// UseNames lists what a certificate can be requested for, sorted: key usages and extended
// ones, by the names that hashicorp/tls has in allowed_uses.
func UseNames() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(keyUsages)), maps.Keys(extendedKeyUsages))
	slices.Sort(names)
	return names
}

// useExtensions writes the uses into the extensions that ask for them.
func useExtensions(uses []string) ([]pkix.Extension, error) {
	var octets [2]byte
	highest := -1
	var extended []asn1.ObjectIdentifier
	for _, use := range slices.Compact(slices.Sorted(slices.Values(uses))) { // equal sets give equal requests
		if bit, ok := keyUsages[use]; ok {
			octets[bit/8] |= 0x80 >> (bit % 8)
			highest = max(highest, bit)
			continue
		}
		oid, ok := extendedKeyUsages[use]
		if !ok {
			return nil, invalid(fmt.Sprintf("There is no use %q.", use), "Use "+strings.Join(UseNames(), ", ")+".")
		}
		extended = append(extended, oid)
	}
	var extensions []pkix.Extension
	if highest >= 0 {
		value, err := asn1.Marshal(asn1.BitString{Bytes: octets[:highest/8+1], BitLength: highest + 1})
		if err != nil {
			return nil, failed("The key usage cannot be encoded.", err)
		}
		extensions = append(extensions, pkix.Extension{Id: oidKeyUsage, Critical: true, Value: value})
	}
	if len(extended) > 0 {
		value, err := asn1.Marshal(extended)
		if err != nil {
			return nil, failed("The extended key usage cannot be encoded.", err)
		}
		extensions = append(extensions, pkix.Extension{Id: oidExtendedKeyUsage, Value: value})
	}
	return extensions, nil
}
