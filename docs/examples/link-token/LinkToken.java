import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Gets a link token from the operator's application API: java LinkToken.java NAMESPACE USER */
public final class LinkToken {
  private final HttpClient client;
  private final String url;
  private final Path tokenFile;

  LinkToken(String url, Path caFile, Path tokenFile) throws Exception {
    this.client = HttpClient.newBuilder().sslContext(trusting(caFile)).connectTimeout(Duration.ofSeconds(5)).build();
    this.url = url;
    this.tokenFile = tokenFile;
  }

  /** Trusts the certificate authorities of a PEM file, and no others. */
  private static SSLContext trusting(Path caFile) throws Exception {
    KeyStore authorities = KeyStore.getInstance(KeyStore.getDefaultType());
    authorities.load(null);
    try (InputStream pem = Files.newInputStream(caFile)) {
      int count = 0;
      for (Certificate authority : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
        authorities.setCertificateEntry("ca-" + count++, authority);
      }
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(authorities);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  /** Returns the JSON object with which the widget is started. */
  String get(String namespace, String user) throws Exception {
    String bearer = Files.readString(tokenFile).trim(); // for each call: Kubernetes replaces its content
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(url + "/v1/namespaces/" + namespace + "/smileusers/" + user + "/token"))
            .header("Authorization", "Bearer " + bearer)
            .timeout(Duration.ofSeconds(12))
            .POST(HttpRequest.BodyPublishers.noBody())
            .build();
    HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() != 201) {
      throw new IllegalStateException("no link token: " + response.statusCode() + " " + response.body());
    }
    return response.body();
  }

  public static void main(String[] args) throws Exception {
    LinkToken api =
        new LinkToken(
            System.getenv("SMILE_API_URL"),
            Path.of(System.getenv("SMILE_CA_FILE")),
            Path.of(System.getenv("SMILE_TOKEN_FILE")));
    System.out.println(api.get(args[0], args[1]));
  }
}
