package cryptoki

// Object classes (section 4.2).
const (
	CKO_DATA              = 0x0
	CKO_CERTIFICATE       = 0x1
	CKO_PUBLIC_KEY        = 0x2
	CKO_PRIVATE_KEY       = 0x3
	CKO_SECRET_KEY        = 0x4
	CKO_HW_FEATURE        = 0x5
	CKO_DOMAIN_PARAMETERS = 0x6
	CKO_MECHANISM         = 0x7
	CKO_OTP_KEY           = 0x8
	CKO_PROFILE           = 0x9
)

// Attributes (sections 4.4 to 4.13; CKA_UNIQUE_ID is of version 3.0).
const (
	CKA_CLASS               = 0x0
	CKA_TOKEN               = 0x1
	CKA_PRIVATE             = 0x2
	CKA_LABEL               = 0x3
	CKA_UNIQUE_ID           = 0x4
	CKA_APPLICATION         = 0x10
	CKA_VALUE               = 0x11
	CKA_OBJECT_ID           = 0x12
	CKA_CERTIFICATE_TYPE    = 0x80
	CKA_TRUSTED             = 0x86
	CKA_CHECK_VALUE         = 0x90
	CKA_KEY_TYPE            = 0x100
	CKA_SUBJECT             = 0x101
	CKA_ID                  = 0x102
	CKA_SENSITIVE           = 0x103
	CKA_ENCRYPT             = 0x104
	CKA_DECRYPT             = 0x105
	CKA_WRAP                = 0x106
	CKA_UNWRAP              = 0x107
	CKA_SIGN                = 0x108
	CKA_SIGN_RECOVER        = 0x109
	CKA_VERIFY              = 0x10A
	CKA_VERIFY_RECOVER      = 0x10B
	CKA_DERIVE              = 0x10C
	CKA_START_DATE          = 0x110
	CKA_END_DATE            = 0x111
	CKA_MODULUS             = 0x120
	CKA_MODULUS_BITS        = 0x121
	CKA_PUBLIC_EXPONENT     = 0x122
	CKA_PUBLIC_KEY_INFO     = 0x129
	CKA_VALUE_LEN           = 0x161
	CKA_EXTRACTABLE         = 0x162
	CKA_LOCAL               = 0x163
	CKA_NEVER_EXTRACTABLE   = 0x164
	CKA_ALWAYS_SENSITIVE    = 0x165
	CKA_KEY_GEN_MECHANISM   = 0x166
	CKA_MODIFIABLE          = 0x170
	CKA_COPYABLE            = 0x171
	CKA_DESTROYABLE         = 0x172
	CKA_EC_PARAMS           = 0x180
	CKA_EC_POINT            = 0x181
	CKA_ALWAYS_AUTHENTICATE = 0x202
	CKA_WRAP_WITH_TRUSTED   = 0x210
	CKA_WRAP_TEMPLATE       = 0x40000211
	CKA_UNWRAP_TEMPLATE     = 0x40000212
	CKA_DERIVE_TEMPLATE     = 0x40000213
	CKA_ALLOWED_MECHANISMS  = 0x40000600
)

// Key types (CK_KEY_TYPE; EDWARDS and MONTGOMERY are of version 3.0).
const (
	CKK_RSA            = 0x0
	CKK_DSA            = 0x1
	CKK_DH             = 0x2
	CKK_EC             = 0x3
	CKK_GENERIC_SECRET = 0x10
	CKK_DES3           = 0x15
	CKK_AES            = 0x1F
	CKK_SHA_1_HMAC     = 0x28
	CKK_SHA256_HMAC    = 0x2B
	CKK_SHA384_HMAC    = 0x2C
	CKK_SHA512_HMAC    = 0x2D
	CKK_SHA224_HMAC    = 0x2E
	CKK_CHACHA20       = 0x33
	CKK_EC_EDWARDS     = 0x40
	CKK_EC_MONTGOMERY  = 0x41
	CKK_HKDF           = 0x42
)

// Mechanisms (CK_MECHANISM_TYPE). MechanismCode and MechanismName know all of them.
const (
	CKM_RSA_PKCS_KEY_PAIR_GEN      = 0x0
	CKM_RSA_PKCS                   = 0x1
	CKM_RSA_X_509                  = 0x3
	CKM_RSA_PKCS_OAEP              = 0x9
	CKM_RSA_PKCS_PSS               = 0xD
	CKM_SHA1_RSA_PKCS              = 0x6
	CKM_SHA224_RSA_PKCS            = 0x46
	CKM_SHA256_RSA_PKCS            = 0x40
	CKM_SHA384_RSA_PKCS            = 0x41
	CKM_SHA512_RSA_PKCS            = 0x42
	CKM_SHA1_RSA_PKCS_PSS          = 0xE
	CKM_SHA224_RSA_PKCS_PSS        = 0x47
	CKM_SHA256_RSA_PKCS_PSS        = 0x43
	CKM_SHA384_RSA_PKCS_PSS        = 0x44
	CKM_SHA512_RSA_PKCS_PSS        = 0x45
	CKM_RSA_AES_KEY_WRAP           = 0x1054
	CKM_EC_KEY_PAIR_GEN            = 0x1040
	CKM_ECDSA                      = 0x1041
	CKM_ECDSA_SHA1                 = 0x1042
	CKM_ECDSA_SHA224               = 0x1043
	CKM_ECDSA_SHA256               = 0x1044
	CKM_ECDSA_SHA384               = 0x1045
	CKM_ECDSA_SHA512               = 0x1046
	CKM_ECDH1_DERIVE               = 0x1050
	CKM_ECDH1_COFACTOR_DERIVE      = 0x1051
	CKM_EC_EDWARDS_KEY_PAIR_GEN    = 0x1055
	CKM_EC_MONTGOMERY_KEY_PAIR_GEN = 0x1056
	CKM_EDDSA                      = 0x1057
	CKM_XEDDSA                     = 0x4029
	CKM_GENERIC_SECRET_KEY_GEN     = 0x350
	CKM_SHA_1                      = 0x220
	CKM_SHA224                     = 0x255
	CKM_SHA256                     = 0x250
	CKM_SHA384                     = 0x260
	CKM_SHA512                     = 0x270
	CKM_SHA3_256                   = 0x2B0
	CKM_SHA3_384                   = 0x2C0
	CKM_SHA3_512                   = 0x2D0
	CKM_SHA_1_HMAC                 = 0x221
	CKM_SHA224_HMAC                = 0x256
	CKM_SHA256_HMAC                = 0x251
	CKM_SHA384_HMAC                = 0x261
	CKM_SHA512_HMAC                = 0x271
	CKM_SHA256_HMAC_GENERAL        = 0x252
	CKM_SHA384_HMAC_GENERAL        = 0x262
	CKM_SHA512_HMAC_GENERAL        = 0x272
	CKM_AES_KEY_GEN                = 0x1080
	CKM_AES_ECB                    = 0x1081
	CKM_AES_CBC                    = 0x1082
	CKM_AES_CBC_PAD                = 0x1085
	CKM_AES_CTR                    = 0x1086
	CKM_AES_GCM                    = 0x1087
	CKM_AES_CCM                    = 0x1088
	CKM_AES_CMAC                   = 0x108A
	CKM_AES_CMAC_GENERAL           = 0x108B
	CKM_AES_GMAC                   = 0x108E
	CKM_AES_KEY_WRAP               = 0x2109
	CKM_AES_KEY_WRAP_PAD           = 0x210A
	CKM_AES_KEY_WRAP_KWP           = 0x210B
	CKM_HKDF_DERIVE                = 0x402A
)

// Mask generation functions of OAEP and PSS.
const (
	CKG_MGF1_SHA1   = 0x1
	CKG_MGF1_SHA224 = 0x5
	CKG_MGF1_SHA256 = 0x2
	CKG_MGF1_SHA384 = 0x3
	CKG_MGF1_SHA512 = 0x4
)

// Key derivation functions of ECDH.
const (
	CKD_NULL       = 0x1
	CKD_SHA1_KDF   = 0x2
	CKD_SHA224_KDF = 0x5
	CKD_SHA256_KDF = 0x6
	CKD_SHA384_KDF = 0x7
	CKD_SHA512_KDF = 0x8
)

// Flags of a mechanism (CK_MECHANISM_INFO).
const (
	CKF_HW                = 0x1
	CKF_ENCRYPT           = 0x100
	CKF_DECRYPT           = 0x200
	CKF_DIGEST            = 0x400
	CKF_SIGN              = 0x800
	CKF_SIGN_RECOVER      = 0x1000
	CKF_VERIFY            = 0x2000
	CKF_VERIFY_RECOVER    = 0x4000
	CKF_GENERATE          = 0x8000
	CKF_GENERATE_KEY_PAIR = 0x10000
	CKF_WRAP              = 0x20000
	CKF_UNWRAP            = 0x40000
	CKF_DERIVE            = 0x80000
	CKF_EC_F_P            = 0x100000
	CKF_EC_F_2M           = 0x200000
	CKF_EC_ECPARAMETERS   = 0x400000
	CKF_EC_OID            = 0x800000
	CKF_EC_UNCOMPRESS     = 0x1000000
	CKF_EC_COMPRESS       = 0x2000000
)

// Flags of a token (CK_TOKEN_INFO).
const (
	CKF_RNG                           = 0x1
	CKF_WRITE_PROTECTED               = 0x2
	CKF_LOGIN_REQUIRED                = 0x4
	CKF_USER_PIN_INITIALIZED          = 0x8
	CKF_RESTORE_KEY_NOT_NEEDED        = 0x20
	CKF_CLOCK_ON_TOKEN                = 0x40
	CKF_PROTECTED_AUTHENTICATION_PATH = 0x100
	CKF_DUAL_CRYPTO_OPERATIONS        = 0x200
	CKF_TOKEN_INITIALIZED             = 0x400
	CKF_SECONDARY_AUTHENTICATION      = 0x800
	CKF_USER_PIN_COUNT_LOW            = 0x10000
	CKF_USER_PIN_FINAL_TRY            = 0x20000
	CKF_USER_PIN_LOCKED               = 0x40000
	CKF_USER_PIN_TO_BE_CHANGED        = 0x80000
	CKF_SO_PIN_COUNT_LOW              = 0x100000
	CKF_SO_PIN_FINAL_TRY              = 0x200000
	CKF_SO_PIN_LOCKED                 = 0x400000
	CKF_SO_PIN_TO_BE_CHANGED          = 0x800000
	CKF_ERROR_STATE                   = 0x1000000
)
