import java.io.*;
import java.security.KeyStore;

/** Copies a keystore. In the copy, the key has another password than the file. */
class KeyPassword {
	public static void main(String[] args) throws Exception {
		char[] password = "cc2023".toCharArray();
		KeyStore store = KeyStore.getInstance(new File(args[0]), password);
		String alias = store.aliases().nextElement();
		store.setKeyEntry(alias, store.getKey(alias, password), "other99".toCharArray(), store.getCertificateChain(alias));
		store.store(new FileOutputStream(args[1]), password);
	}
}
