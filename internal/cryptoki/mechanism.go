package cryptoki

// Mechanism is a mechanism with its parameters (PKCS #11 Current Mechanisms 2.40).
type Mechanism struct {
	Code   uint   // CKM_…
	Params Params // nil for none
}

// Params is one of GCM, OAEP, PSS, ECDH and Raw.
type Params interface{ params() }

// GCM are the parameters of CKM_AES_GCM. The ciphertext ends with the tag.
type GCM struct {
	// IV is usually 12 bytes. Some tokens (AWS CloudHSM) choose their own: after
	// Encrypt the slice holds the IV that was used.
	IV      []byte
	AAD     []byte // may be empty
	TagBits int    // 128 nearly always
}

// OAEP are the parameters of CKM_RSA_PKCS_OAEP, without a label.
type OAEP struct {
	Hash uint // CKM_SHA_1, CKM_SHA256, …
	MGF  uint // CKG_MGF1_SHA1, …
}

// PSS are the parameters of CKM_RSA_PKCS_PSS and CKM_SHA*_RSA_PKCS_PSS.
type PSS struct {
	Hash    uint // CKM_SHA256, …
	MGF     uint // CKG_MGF1_SHA256, …
	SaltLen uint // bytes
}

// ECDH are the parameters of CKM_ECDH1_DERIVE, without shared data.
type ECDH struct {
	KDF    uint   // CKD_NULL, …
	Public []byte // the other side's point, uncompressed: 04 x y
}

// Raw are parameters in wire form: the IV of CKM_AES_CBC_PAD, for instance.
type Raw []byte

func (GCM) params()  {}
func (OAEP) params() {}
func (PSS) params()  {}
func (ECDH) params() {}
func (Raw) params()  {}
