// Command provider is a provider for Terraform that knows schemas and nothing else: with it, terraform validate checks
// names, types, blocks and what is required in a module, and nothing can be planned or made. SKEIN_TEST_SCHEMA names the
// file with the schemas; schema.py writes schema.json, for AWS. It is a module of its own so that Skein does not need what
// it needs.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
)

func main() {
	// Terraform shows what a call answers, but not what a provider prints: a file that cannot be read is told there.
	var p provider
	p.schemas, p.err = read(os.Getenv("SKEIN_TEST_SCHEMA"))
	if err := tf5server.Serve("registry.terraform.io/hashicorp/aws", func() tfprotov5.ProviderServer { return p }); err != nil {
		log.Fatal(err)
	}
}

// provider answers what init and validate ask. Whatever else Terraform does begins with ConfigureProvider, which fails, so
// the other methods of the interface are never called.
type provider struct {
	tfprotov5.ProviderServer
	schemas schemas
	err     error
}

func (p provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	if p.err != nil {
		return nil, fmt.Errorf("SKEIN_TEST_SCHEMA: %w", p.err)
	}
	out := &tfprotov5.GetProviderSchemaResponse{
		Provider:          &tfprotov5.Schema{Block: &tfprotov5.SchemaBlock{}},
		ResourceSchemas:   map[string]*tfprotov5.Schema{},
		DataSourceSchemas: map[string]*tfprotov5.Schema{},
	}
	for name, r := range p.schemas.Resources {
		out.ResourceSchemas[name] = r.served()
	}
	for name, r := range p.schemas.DataSources {
		out.DataSourceSchemas[name] = r.served()
	}
	return out, nil
}

func (provider) GetResourceIdentitySchemas(context.Context, *tfprotov5.GetResourceIdentitySchemasRequest) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

func (provider) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (p provider) ValidateResourceTypeConfig(_ context.Context, r *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	found, err := check(p.schemas.Resources[r.TypeName], r.Config)
	return &tfprotov5.ValidateResourceTypeConfigResponse{Diagnostics: found}, err
}

func (p provider) ValidateDataSourceConfig(_ context.Context, r *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	found, err := check(p.schemas.DataSources[r.TypeName], r.Config)
	return &tfprotov5.ValidateDataSourceConfigResponse{Diagnostics: found}, err
}

func (provider) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return &tfprotov5.ConfigureProviderResponse{Diagnostics: []*tfprotov5.Diagnostic{{
		Severity: tfprotov5.DiagnosticSeverityError,
		Summary:  "This provider knows schemas only",
		Detail:   "It is for terraform validate. For all else take the real provider.",
	}}}, nil
}

func (provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}
