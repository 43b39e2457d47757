package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/function"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/notation"
)

// addressFunction is a function that needs no more than a public key: ethereum_address
// and solana_address.
type addressFunction struct {
	name, summary, description, key string
	address                         func(keyring.PublicKey) (string, error)
}

func newEthereumAddress() function.Function {
	return addressFunction{
		name: "ethereum_address", summary: "Ethereum address of a public key",
		description: "Returns the Ethereum address of a secp256k1 public key: `0x` and 40 hexadecimal digits, with the checksum of EIP-55 in their capitals.",
		key:         "Public key in PEM (`PUBLIC KEY`) of a key with `algorithm = \"EC_SECP256K1\"`.",
		address:     notation.EthereumAddress,
	}
}

func newSolanaAddress() function.Function {
	return addressFunction{
		name: "solana_address", summary: "Solana address of a public key",
		description: "Returns the Solana address of an Ed25519 public key: its 32 bytes in base58.",
		key:         "Public key in PEM (`PUBLIC KEY`) of a key with `algorithm = \"ED25519\"`.",
		address:     notation.SolanaAddress,
	}
}

func (f addressFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = f.name
}

func (f addressFunction) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: f.summary, MarkdownDescription: f.description,
		Parameters: []function.Parameter{publicKeyParameter(f.key)}, Return: function.StringReturn{},
	}
}

func (f addressFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var pem string
	if resp.Error = req.Arguments.Get(ctx, &pem); resp.Error != nil {
		return
	}
	key, err := readPublicKey(pem)
	if err != nil {
		resp.Error = functionError(0, err)
		return
	}
	address, err := f.address(key)
	if err != nil {
		resp.Error = functionError(0, err)
		return
	}
	resp.Error = resp.Result.Set(ctx, address)
}

// bitcoinAddress is the function bitcoin_address.
type bitcoinAddress struct{}

func newBitcoinAddress() function.Function { return bitcoinAddress{} }

func (bitcoinAddress) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "bitcoin_address"
}

func (bitcoinAddress) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Bitcoin address of a public key",
		MarkdownDescription: "Returns the native SegWit address of a secp256k1 public key: pay to witness public key hash (P2WPKH, witness version 0) " +
			"in Bech32, as BIP-173 has it.",
		Parameters: []function.Parameter{
			publicKeyParameter("Public key in PEM (`PUBLIC KEY`) of a key with `algorithm = \"EC_SECP256K1\"`."),
			function.StringParameter{
				Name: "network", Validators: []function.StringParameterValidator{stringvalidator.OneOf("main", "test")},
				MarkdownDescription: "`main` (addresses that begin with `bc1`) or `test` (`tb1`, also for signet).",
			},
		},
		Return: function.StringReturn{},
	}
}

func (bitcoinAddress) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var pem, network string
	if resp.Error = req.Arguments.Get(ctx, &pem, &network); resp.Error != nil {
		return
	}
	key, err := readPublicKey(pem)
	if err != nil {
		resp.Error = functionError(0, err)
		return
	}
	address, err := notation.BitcoinAddress(key, network)
	if err != nil {
		resp.Error = functionError(0, err)
		return
	}
	resp.Error = resp.Result.Set(ctx, address)
}
