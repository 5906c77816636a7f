package interop

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

// grpcDriver serves behind the interceptor of the example, and calls itself with each token.
const grpcDriver = `package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/keywright/keywright/verifier"
)

type service struct {
	grpc_health_v1.UnimplementedHealthServer
}

// Check answers with the subject of the token.
func (service) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	token, ok := verifier.FromContext(ctx)
	if !ok {
		return nil, status.Error(codes.Internal, "no token")
	}
	return &grpc_health_v1.HealthCheckResponse{}, grpc.SetHeader(ctx, metadata.Pairs("subject", token.Subject()))
}

func main() {
	v, err := verifier.New(verifier.Config{
		Issuers:  map[string]verifier.Source{"https://issuer.example.com": verifier.File("/var/run/keywright/jwks/main.json")},
		Audience: "https://orders.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(authenticate(v)))
	grpc_health_v1.RegisterHealthServer(server, service{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Print(server.Serve(listener)) }()
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	client := grpc_health_v1.NewHealthClient(connection)
	call := func(values ...string) (string, error) {
		ctx := metadata.NewOutgoingContext(context.Background(), metadata.MD{"authorization": values})
		var header metadata.MD
		_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.Header(&header))
		if err != nil {
			return "", err
		}
		return header.Get("subject")[0], nil
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		good := "Bearer " + lines.Text()
		for _, values := range [][]string{{}, {lines.Text()}, {"Basic " + lines.Text()}, {good, good}} {
			if _, err := call(values...); status.Code(err) != codes.Unauthenticated {
				log.Fatalf("%d headers: %v", len(values), err)
			}
		}
		if subject, err := call(good); err != nil {
			fmt.Printf("no %q\n", err)
		} else {
			fmt.Println("ok", subject)
		}
	}
}
`

func TestGRPC(t *testing.T) {
	t.Parallel()
	w := rotated.New(t, "ES256")
	program := build(t, map[string]string{
		"example.go": example(t, "go-grpc"), "main.go": strings.ReplaceAll(grpcDriver, mounted, w.Volume.File()),
	})
	w.Tell(t, start(t, filepath.Dir(program), program), rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: time.Second})
}
